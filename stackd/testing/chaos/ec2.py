"""The EC2 API as the clients of chaos use it: plain requests signed by botocore."""

import re
from typing import Any
from urllib.parse import urlencode

from attrs import evolve, frozen
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stackd.testing.chaos.asking import Answer, Outcome, ask

VERSION = "2016-11-15"
FLAVOR = "m1.tiny"
_ACTIONS = {"stop": "StopInstances", "start": "StartInstances", "reboot": "RebootInstances",
            "soft-reboot": "RebootInstances", "terminate": "TerminateInstances"}
_GONE = b"InvalidAllocationID.NotFound"


@frozen(kw_only=True)
class Key:
    """Who we are, and where."""

    url: str
    access: str
    secret: str
    region: str


class Ec2:
    """One client; usable by many threads."""

    def __init__(self, key: Key, image: str) -> None:
        """``image`` is an ``ami-`` id."""
        self._key = key
        self._image = image
        self._signer = SigV4Auth(Credentials(key.access, key.secret), "ec2", key.region)

    def ask(self, action: str, **parameters: Any) -> Answer:
        """One signed request."""
        body = urlencode({"Action": action, "Version": VERSION, **parameters})
        request = AWSRequest("POST", self._key.url, data=body.encode(), headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        self._signer.add_auth(request)
        return ask("POST", self._key.url, body.encode(), dict(request.headers.items()))

    # --- instances ---

    def launch(self, name: str, least: int, most: int, group: str, token: str) -> tuple[Answer, list[str]]:
        """Launch; the ids. The same ``token`` again gives the same instances."""
        answer = self.ask("RunInstances", **{
            "ImageId": self._image, "InstanceType": FLAVOR, "MinCount": least, "MaxCount": most, "ClientToken": token,
            "TagSpecification.1.Tag.2.Key": "launch", "TagSpecification.1.Tag.2.Value": token,
            "SecurityGroupId.1": group, "TagSpecification.1.ResourceType": "instance",
            "TagSpecification.1.Tag.1.Key": "Name", "TagSpecification.1.Tag.1.Value": name})
        return answer, _all(answer, "instanceId") if answer.accepted else []

    def act(self, verb: str, id: str) -> Answer:
        """``stop``, ``start``, ``reboot`` or ``terminate``."""
        return self.ask(_ACTIONS[verb], **{"InstanceId.1": id})

    def label(self, id: str, key: str, value: str) -> Answer:
        """Write a tag."""
        return self.ask("CreateTags", **{"ResourceId.1": id, "Tag.1.Key": key, "Tag.1.Value": value})

    def states(self) -> dict[str, str] | None:
        """Id -> state of all instances, for an hour also ended ones; None when there was no answer."""
        answer = self.ask("DescribeInstances")
        if not answer.accepted:
            return None
        found = re.findall(r"<instanceId>([^<]+)</instanceId>.*?<instanceState>.*?<name>([^<]+)</name>",
                           answer.body.decode(), re.DOTALL)
        return dict(found)

    # --- groups ---

    def permit(self, group: str, port: int) -> Answer:
        """Let a TCP port in."""
        return self.ask("AuthorizeSecurityGroupIngress", **_rule(group, port))

    def forbid(self, group: str, port: int) -> Answer:
        """Let it in no more."""
        return self.ask("RevokeSecurityGroupIngress", **_rule(group, port))

    # --- floating addresses ---

    def allocate(self) -> tuple[Answer, str]:
        """A floating address; its id."""
        answer = self.ask("AllocateAddress", Domain="vpc")
        return answer, _all(answer, "allocationId")[0] if answer.accepted else ""

    def attach(self, address: str, id: str) -> Answer:
        """Lead the address to the instance."""
        return self.ask("AssociateAddress", AllocationId=address, InstanceId=id)

    def detach(self, address: str) -> Answer:
        """Lead it nowhere."""
        shown = self.ask("DescribeAddresses", **{"AllocationId.1": address})
        if not shown.accepted:
            return shown
        association = _all(shown, "associationId")
        if not association:
            return shown
        return self.ask("DisassociateAddress", AssociationId=association[0])

    def release(self, address: str) -> Answer:
        """Give it back; that it is gone already is as good."""
        answer = self.ask("ReleaseAddress", AllocationId=address)
        return evolve(answer, outcome=Outcome.ACCEPTED) if _GONE in answer.body else answer


def _rule(group: str, port: int) -> dict[str, Any]:
    return {"GroupId": group, "IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": port,
            "IpPermissions.1.ToPort": port, "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0"}


def _all(answer: Answer, tag: str) -> list[str]:
    return re.findall(f"<{tag}>([^<]+)</{tag}>", answer.body.decode())
