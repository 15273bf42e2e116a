"""The main job for real: the cloud of ``make cloud``, stock clients, guests one can log into, nothing left behind."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackd.model import ids, kinds
from stackd.testing.ports import free_base
from tests.live.real_cloud import EVERYWHERE, RealCloud, wait

METADATA = "http://169.254.169.254/latest"
READY = "tiny: ready"


@pytest.fixture(scope="module")
def cloud() -> Iterator[RealCloud]:
    """The cloud with its first VM; at the end nothing of it is left on the machine."""
    state = Path(tempfile.mkdtemp(prefix="sc"))
    made = RealCloud(state, free_base())
    try:
        words = made.demo("up")
        assert "Your first VM runs." in words
        yield made
    finally:
        made.demo("down")
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, timeout=20, check=True).stdout
    assert made.netns not in listed
    for argv in (("ip", "link"), ("nft", "list", "ruleset"), ("mount",), ("ps", "-eo", "args")):
        text = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout
        assert str(state) not in text
        assert made.netns.removeprefix("stackd-") not in text


def uuid_of(cloud: RealCloud, ec2_id: str) -> str:
    """The UUID of an instance that EC2 shows by its short id."""
    digits = ec2_id.removeprefix("i-")
    found = [server.id for server in cloud.sdk().compute.servers() if server.id.replace("-", "").startswith(digits)]
    assert len(found) == 1
    return str(found[0])


def seen_as(cloud: RealCloud, uuid: str, status: str) -> None:
    """The SDK and the command show the same server in the same state."""
    wait(f"{uuid} is {status}", lambda: cloud.sdk().compute.get_server(uuid).status == status)
    assert cloud.openstack("server", "show", uuid, "-f", "value", "-c", "status") == status


def boots(cloud: RealCloud, uuid: str) -> int:
    """How often the guest came up, by its console."""
    return str(cloud.sdk().compute.get_server_console_output(uuid)["output"]).count(READY)


def nothing_left(cloud: RealCloud, uuid: str, macs: list[str]) -> None:
    """No guest, device, rule, lease, disk or row of the instance."""
    bare = uuid.replace("-", "")
    left: list[str] = []
    deadline = time.monotonic() + 60
    while left := [f"{word} in {place}" for word in (bare, *macs) for place in cloud.traces(word)]:
        assert time.monotonic() < deadline, left
        time.sleep(1)
    assert bare not in {id.replace("-", "") for id in cloud.guests()}
    assert list(cloud.sdk().network.ports(device_id=uuid)) == []
    assert cloud.explain(uuid)["waits_for"] == "nothing"


def test_make_cloud_again_is_quick_and_harmless(cloud: RealCloud) -> None:
    before = cloud.guests()
    cloud.demo("up")
    assert cloud.guests() == before


def test_a_host_starts_its_libvirtd_again_and_its_guests_go_on(cloud: RealCloud) -> None:
    first, = cloud.sdk().compute.servers()
    wait("the first VM is up", lambda: boots(cloud, first.id) == 1 or None)
    before, killed = cloud.guest_pids(), cloud.libvirtd_pid()
    os.kill(killed, signal.SIGKILL)
    wait("libvirtd runs again", lambda: cloud.libvirtd_pid() not in (0, killed) or None, patience=60)
    assert cloud.guest_pids() == before
    cloud.openstack("server", "reboot", first.id, "--hard", "--wait")
    wait("it rebooted", lambda: boots(cloud, first.id) == 2 or None)


def test_the_journey_of_boto3(cloud: RealCloud) -> None:
    ec2 = cloud.boto()
    key = cloud.keep_key("boto", ec2.create_key_pair(KeyName="boto", KeyType="rsa")["KeyMaterial"])
    group = ec2.create_security_group(GroupName="boto", Description="ssh for everybody")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": EVERYWHERE}]}])
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["demo"]}])["Images"][0]["ImageId"]
    made = ec2.run_instances(
        ImageId=image, InstanceType="t2.nano", KeyName="boto", SecurityGroupIds=[group], MinCount=1, MaxCount=1,
        UserData="#!/bin/sh\necho user-data ran > /tmp/said\n",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "by-boto"}]}])
    id = made["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    uuid = uuid_of(cloud, id)
    seen_as(cloud, uuid, "ACTIVE")
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=id, AllocationId=address["AllocationId"])
    said = wait("ssh answers", lambda: cloud.ssh(
        address["PublicIp"], key, f"cat /tmp/said; wget -qO- {METADATA}/meta-data/instance-id; echo; "
                                  f"wget -qO- {METADATA}/meta-data/public-ipv4"))
    assert said.split("\n")[:3] == ["user-data ran", id, address["PublicIp"]]
    assert READY in ec2.get_console_output(InstanceId=id)["Output"]
    _stop_start_reboot(cloud, ec2, id, uuid)
    wait("ssh answers after it all", lambda: cloud.ssh(address["PublicIp"], key, "true") is not None or None)
    macs = [nic["MacAddress"] for nic in _instance(ec2, id)["NetworkInterfaces"]]
    ec2.terminate_instances(InstanceIds=[id])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    assert cloud.sdk().compute.find_server(uuid) is None
    nothing_left(cloud, uuid, macs)
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_key_pair(KeyName="boto")


def _instance(ec2: Any, id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
    return found


def _stop_start_reboot(cloud: RealCloud, ec2: Any, id: str, uuid: str) -> None:
    ec2.stop_instances(InstanceIds=[id])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    seen_as(cloud, uuid, "SHUTOFF")
    assert ids.parse_uuid(uuid) not in {one.replace("-", "") for one in cloud.guests()}
    ec2.start_instances(InstanceIds=[id])
    ec2.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    wait("it booted again", lambda: boots(cloud, uuid) == 2 or None)
    ec2.reboot_instances(InstanceIds=[id])
    wait("it rebooted", lambda: boots(cloud, uuid) == 3 or None)
    seen_as(cloud, uuid, "ACTIVE")


def test_the_journey_of_openstack(cloud: RealCloud) -> None:
    sdk = cloud.sdk()
    key = cloud.state / "osc.key"
    cloud.openstack("keypair", "create", "osc", "--private-key", str(key))
    key.chmod(0o600)
    cloud.openstack("security", "group", "create", "osc")
    cloud.openstack("security", "group", "rule", "create", "osc", "--protocol", "tcp", "--dst-port", "22")
    cloud.openstack("server", "create", "by-osc", "--image", "demo", "--flavor", "t2.nano", "--key-name", "osc",
                    "--security-group", "osc", "--network", "default", "--wait")
    server = sdk.compute.find_server("by-osc", ignore_missing=False)
    id = ids.ec2_id(kinds.INSTANCE, server.id.replace("-", ""))
    ec2 = cloud.boto()
    assert _instance(ec2, id)["State"]["Name"] == "running"
    assert {"Key": "Name", "Value": "by-osc"} in _instance(ec2, id)["Tags"]
    assert cloud.aws("ec2", "describe-instances", "--instance-ids", id)["Reservations"]
    address = cloud.openstack("floating", "ip", "create", "public", "-f", "value", "-c", "floating_ip_address")
    cloud.openstack("server", "add", "floating", "ip", "by-osc", address)
    said = wait("ssh answers", lambda: cloud.ssh(address, key, "hostname"))
    assert said.startswith("by-osc")
    assert _instance(ec2, id)["PublicIpAddress"] == address
    assert READY in cloud.openstack("console", "log", "show", "by-osc")
    _by_command(cloud, ec2, server.id, id)
    macs = [port.mac_address for port in sdk.network.ports(device_id=server.id)]
    cloud.openstack("server", "delete", "by-osc", "--wait")
    assert _instance(ec2, id)["State"]["Name"] == "terminated"
    nothing_left(cloud, server.id, macs)
    for words in (("floating", "ip", "delete", address), ("security", "group", "delete", "osc"),
                  ("keypair", "delete", "osc")):
        cloud.openstack(*words)


def _by_command(cloud: RealCloud, ec2: Any, uuid: str, id: str) -> None:
    cloud.openstack("server", "stop", uuid)
    seen_as(cloud, uuid, "SHUTOFF")
    assert _instance(ec2, id)["State"]["Name"] == "stopped"
    cloud.openstack("server", "start", uuid)
    seen_as(cloud, uuid, "ACTIVE")
    wait("it booted again", lambda: boots(cloud, uuid) == 2 or None)
    cloud.openstack("server", "reboot", uuid, "--hard", "--wait")
    wait("it rebooted", lambda: boots(cloud, uuid) == 3 or None)
    assert _instance(ec2, id)["State"]["Name"] == "running"


def test_sigkill_during_a_boot_loses_and_doubles_nothing(cloud: RealCloud) -> None:
    ec2 = cloud.boto()
    before = cloud.guests()
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["demo"]}])["Images"][0]["ImageId"]
    id = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    cloud.process.kill()
    assert cloud.process.pid() is None
    cloud.process.start()
    ec2.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    assert len(cloud.guests() - before) == 1
    uuid = uuid_of(cloud, id)
    wait("it came up", lambda: boots(cloud, uuid) == 1 or None)
    macs = [nic["MacAddress"] for nic in _instance(ec2, id)["NetworkInterfaces"]]
    ec2.terminate_instances(InstanceIds=[id])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    nothing_left(cloud, uuid, macs)
    assert cloud.guests() == before
