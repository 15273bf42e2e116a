"""The first VM, as a user makes it: images by the OpenStack API, the rest by the EC2 API with stock clients."""

import os
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import openstack
from botocore.exceptions import ClientError

from stackd.testing.demo.waiting import say, wait_until
from stackd.testing.guestimage.build import GuestImage

NAME = "first-vm"
IMAGE = "demo"
FLAVOR = "t2.nano"
RUNNING_SECONDS = 180.0
SSH_SECONDS = 180.0


class FirstVM:
    """One instance with the name ``first-vm``; each step leaves alone what is there already."""

    def __init__(self, state: Path) -> None:
        """``state`` is the folder of a ready cloud, with the clients' files in it."""
        self._state = state
        self._key_file = state / f"{NAME}.pem"
        self._instance: dict[str, Any] = {}
        self._address = ""

    @cached_property
    def _settings(self) -> dict[str, str]:
        lines = (self._state / "aws.env").read_text().splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
        return {name: value.strip("'\"") for name, value in pairs}

    @cached_property
    def _ec2(self) -> Any:
        settings = self._settings
        return boto3.client(
            "ec2", endpoint_url=settings["AWS_ENDPOINT_URL_EC2"], region_name=settings["AWS_DEFAULT_REGION"],
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"], aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"])

    def upload(self, made: GuestImage) -> None:
        """Put kernel, ramdisk and root disk into the catalogue, for everybody."""
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self._state / "clouds.yaml")
        images = openstack.connect(cloud="stackd-admin").image
        if images.find_image(IMAGE, ignore_missing=True):
            return
        parts = {}
        for kind, path in (("aki", made.aki), ("ari", made.ari)):
            say(f"uploading {kind}")
            parts[kind] = images.create_image(
                f"{IMAGE}-{kind}", filename=path, disk_format=kind, container_format=kind, visibility="public")
        say("uploading ami")
        images.create_image(IMAGE, filename=made.ami, disk_format="ami", container_format="ami", visibility="public",
                            kernel_id=parts["aki"].id, ramdisk_id=parts["ari"].id)

    def boot(self) -> None:
        """Make the key, open ssh and ping in the default group, run the instance, give it an address."""
        found = self._find()
        if not found:
            self._make_key()
            self._open_group()
            image = self._ec2.describe_images(Filters=[{"Name": "name", "Values": [IMAGE]}])["Images"][0]["ImageId"]
            self._ec2.run_instances(
                ImageId=image, InstanceType=FLAVOR, KeyName=NAME, MinCount=1, MaxCount=1,
                TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": NAME}]}])
        self._instance = wait_until("the instance runs", self._running, RUNNING_SECONDS)
        self._address = self._own_address() or self._new_address()

    def wait_for_ssh(self) -> None:
        """Until a command runs in the guest."""
        wait_until("ssh answers", self._logged_in, SSH_SECONDS)

    def summary(self) -> str:
        """Where everything is, for a person."""
        console = self._ec2.get_console_output(InstanceId=self._instance["InstanceId"]).get("Output", "")
        lines = "\n".join(f"    | {line}" for line in console.splitlines()[-6:])
        endpoint = self._settings["AWS_ENDPOINT_URL_EC2"]
        return (
            f"\nYour first VM runs.\n"
            f"  instance     {self._instance['InstanceId']}  {self._address}\n"
            f"  log in       {' '.join(self._ssh())}\n"
            f"  EC2          {endpoint}    set -a; . {self._state}/aws.env; set +a\n"
            f"  OpenStack    . {self._state}/openrc    or OS_CLIENT_CONFIG_FILE={self._state}/clouds.yaml\n"
            f"  console\n{lines}\n"
            f"  stop it all  make down\n")

    def _find(self) -> dict[str, Any] | None:
        answer = self._ec2.describe_instances(Filters=[
            {"Name": "tag:Name", "Values": [NAME]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]}])
        found = [instance for group in answer["Reservations"] for instance in group["Instances"]]
        return found[0] if found else None

    def _running(self) -> dict[str, Any] | None:
        found = self._find()
        return found if found and found["State"]["Name"] == "running" else None

    def _make_key(self) -> None:
        self._ec2.delete_key_pair(KeyName=NAME)
        key = self._ec2.create_key_pair(KeyName=NAME, KeyType="ed25519")
        self._key_file.unlink(missing_ok=True)
        with open(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key["KeyMaterial"])

    def _open_group(self) -> None:
        group = self._ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
        everywhere = [{"CidrIp": "0.0.0.0/0"}]
        for protocol, low, high in (("tcp", 22, 22), ("icmp", -1, -1)):
            rule = {"IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": everywhere}
            try:
                self._ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
            except ClientError as error:
                if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
                    raise

    def _own_address(self) -> str:
        answer = self._ec2.describe_addresses(
            Filters=[{"Name": "instance-id", "Values": [self._instance["InstanceId"]]}])
        return next((address["PublicIp"] for address in answer["Addresses"]), "")

    def _new_address(self) -> str:
        address = self._ec2.allocate_address(Domain="vpc")
        self._ec2.associate_address(
            InstanceId=self._instance["InstanceId"], AllocationId=address["AllocationId"])
        return str(address["PublicIp"])

    def _ssh(self, *options: str) -> list[str]:
        return ["ssh", "-i", str(self._key_file), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *options, f"root@{self._address}"]

    def _logged_in(self) -> bool:
        command = [*self._ssh("-o", "ConnectTimeout=2", "-o", "BatchMode=yes"), "true"]
        try:
            return subprocess.run(command, capture_output=True, timeout=15, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False
