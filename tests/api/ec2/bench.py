"""Stock boto3 against the whole cloud in memory: its requests never leave the process, but are signed and parsed."""

import io
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from attrs import evolve
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from twisted.web.test.requesthelper import DummyRequest

from stackd import errors
from stackd.api.ec2.resource import QueryApi
from stackd.model.identities import AccessKey
from stackd.testing.cloud import MemoryCloud

REGION = "us-east-1"
# One session for all: it keeps the models it has read.
SESSION = boto3.Session()


class Keys:
    """Identity as far as EC2 needs it: one key a name."""

    def __init__(self, callers: dict[str, Any]) -> None:
        """Access key -> caller."""
        self.callers = callers

    async def access_key(self, access: str) -> AccessKey:
        """The key; its secret is its name doubled."""
        if access not in self.callers:
            raise errors.UnknownAccessKey("The access key does not exist.")
        return AccessKey(access=access, secret=access * 2, user_id="", project_id="")

    async def caller_of_key(self, key: AccessKey, request_id: str) -> Any:
        """Its owner."""
        return self.callers[key.access]


class Bench:
    """A cloud, its EC2 API, and clients of it."""

    def __init__(self, cloud: MemoryCloud) -> None:
        """The member's key is ``member``, the reader's ``reader`` and so on."""
        self.cloud = cloud
        self.callers = {"member": cloud.caller, "admin": cloud.admin,
                        "reader": evolve(cloud.caller, roles=frozenset({"reader"})),
                        "stranger": evolve(cloud.caller, project_id="f" * 32, user_id="e" * 32,
                                           account="999999999999")}
        self.api = QueryApi(Keys(self.callers), cloud.clock, REGION, cloud.core)
        self.requests: list[DummyRequest] = []

    def client(self, service: str = "ec2", who: str = "member", secret: str | None = None, **extra: Any) -> Any:
        """A boto3 client whose requests are answered here."""
        client = SESSION.client(service, endpoint_url="http://cloud.test:8773", aws_access_key_id=who,
                                aws_secret_access_key=secret or who * 2, region_name=extra.pop("region", REGION),
                                config=Config(retries={"total_max_attempts": 1}, **extra))
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **kwargs: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        headers = {name: value.decode() if isinstance(value, bytes) else value
                   for name, value in request.headers.items()}
        headers.setdefault("Host", parts.netloc)
        status, answer = self.raw(request.method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                                  headers, body)
        return AWSResponse(request.url, status, {}, SimpleNamespace(stream=lambda **_: iter([answer]), read=answer))

    def raw(self, method: str, uri: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of one HTTP request."""
        request = DummyRequest([b""])
        request.method, request.uri, request.content = method.encode(), uri.encode(), io.BytesIO(body)
        for name, value in headers.items():
            request.requestHeaders.addRawHeader(name, value)
        self.requests.append(request)
        return self.cloud.run(self.api.respond(request))

    def running(self, **arguments: Any) -> list[str]:
        """Ids of new instances, all of them running."""
        made = self.client().run_instances(**{"ImageId": self.image, "InstanceType": "t2.nano", "MinCount": 1,
                                              "MaxCount": 1, **arguments})
        ids = [one["InstanceId"] for one in made["Instances"]]
        self.settle(ids, "running")
        return ids

    def settle(self, ids: list[str], state: str) -> None:
        """Let time pass until all have the state."""
        client = self.client()
        self.cloud.until(lambda: all(one["State"]["Name"] == state for one in described(client, ids)))

    @property
    def image(self) -> str:
        """The EC2 id of the image in the catalogue."""
        return f"ami-{self.cloud.image.id[:17]}"


def described(client: Any, ids: list[str] | None = None, **arguments: Any) -> list[dict[str, Any]]:
    """The instances of DescribeInstances, out of their reservations."""
    if ids is not None:
        arguments["InstanceIds"] = ids
    return [one for reservation in client.describe_instances(**arguments)["Reservations"]
            for one in reservation["Instances"]]


def refused(call: Any, **arguments: Any) -> str:
    """The code a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return code_of(caught)


def code_of(caught: Any) -> str:
    """AWS's code of the error boto3 raised."""
    code: str = caught.value.response["Error"]["Code"]
    return code
