"""Through EC2 another project's things do not exist, and a reader changes nothing."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fuzz.people import Belongings, Person

PREFIXES = {"server": "i", "image": "ami", "network": "vpc", "subnet": "subnet", "port": "eni", "group": "sg",
            "rule": "sgr", "floating": "eipalloc"}
ABSENT = {
    "server": "InvalidInstanceID.NotFound", "image": "InvalidAMIID.NotFound", "network": "InvalidVpcID.NotFound",
    "subnet": "InvalidSubnetID.NotFound", "group": "InvalidGroup.NotFound", "floating": "InvalidAllocationID.NotFound",
    "rule": "InvalidSecurityGroupRuleId.NotFound", "port": "InvalidNetworkInterfaceID.NotFound"}


def short(things: Belongings, kind: str) -> str:
    """An id as EC2 writes it."""
    return f"{PREFIXES[kind]}-{things[kind].replace('-', '')[:17]}"


def refusal(act: Any) -> str:
    """The code of the error that must come."""
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


CALLS: tuple[tuple[str, str, Any], ...] = (
    ("server", "describe_instances", lambda id: {"InstanceIds": [id]}),
    ("server", "describe_instance_status", lambda id: {"InstanceIds": [id]}),
    ("server", "terminate_instances", lambda id: {"InstanceIds": [id]}),
    ("server", "stop_instances", lambda id: {"InstanceIds": [id]}),
    ("server", "start_instances", lambda id: {"InstanceIds": [id]}),
    ("server", "reboot_instances", lambda id: {"InstanceIds": [id]}),
    ("server", "get_console_output", lambda id: {"InstanceId": id}),
    ("server", "describe_instance_attribute", lambda id: {"InstanceId": id, "Attribute": "userData"}),
    ("server", "create_tags", lambda id: {"Resources": [id], "Tags": [{"Key": "a", "Value": "b"}]}),
    ("image", "describe_images", lambda id: {"ImageIds": [id]}),
    ("network", "describe_vpcs", lambda id: {"VpcIds": [id]}),
    ("subnet", "describe_subnets", lambda id: {"SubnetIds": [id]}),
    ("group", "describe_security_groups", lambda id: {"GroupIds": [id]}),
    ("group", "delete_security_group", lambda id: {"GroupId": id}),
    ("group", "create_tags", lambda id: {"Resources": [id], "Tags": [{"Key": "a", "Value": "b"}]}),
    ("group", "authorize_security_group_ingress", lambda id: {"GroupId": id, "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}),
    ("group", "revoke_security_group_ingress", lambda id: {"GroupId": id, "SecurityGroupRuleIds": ["sgr-" + "0" * 17]}),
    ("floating", "describe_addresses", lambda id: {"AllocationIds": [id]}),
    ("floating", "release_address", lambda id: {"AllocationId": id}))


@pytest.mark.parametrize(("kind", "action", "arguments"), CALLS, ids=lambda each: each if isinstance(each, str) else "")
def test_no_action_finds_it(kind: str, action: str, arguments: Any, stranger: Person, theirs: Belongings) -> None:
    """Not found, in EC2's word for each kind."""
    call = getattr(stranger.aws(), action)
    assert refusal(lambda: call(**arguments(short(theirs, kind)))) == ABSENT[kind]


def test_lists_leave_it_out(stranger: Person, mine: Belongings, theirs: Belongings) -> None:
    """All of them."""
    client = stranger.aws()
    shown = str([client.describe_instances()["Reservations"], client.describe_images()["Images"],
                 client.describe_vpcs()["Vpcs"], client.describe_subnets()["Subnets"],
                 client.describe_security_groups()["SecurityGroups"], client.describe_addresses()["Addresses"],
                 client.describe_security_group_rules()["SecurityGroupRules"], client.describe_tags()["Tags"],
                 client.describe_key_pairs()["KeyPairs"]])
    for kind in PREFIXES:
        assert short(theirs, kind) not in shown
    assert short(mine, "server") in shown
    assert theirs["key"] not in shown


@pytest.mark.parametrize(("kind", "part"), [
    ("image", lambda id: {"ImageId": id}), ("subnet", lambda id: {"SubnetId": id}),
    ("group", lambda id: {"SecurityGroupIds": [id]}),
    ("port", lambda id: {"NetworkInterfaces": [{"NetworkInterfaceId": id, "DeviceIndex": 0}]})])
def test_a_launch_cannot_take_it(kind: str, part: Any, stranger: Person, mine: Belongings, theirs: Belongings) -> None:
    """Nor a key of somebody else."""
    launch = stranger.aws().run_instances
    plain = {"ImageId": short(mine, "image"), "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    assert refusal(lambda: launch(**{**plain, **part(short(theirs, kind))})) == ABSENT[kind]
    assert refusal(lambda: launch(**plain, KeyName=theirs["key"])) == "InvalidKeyPair.NotFound"


def test_addresses_and_rules_join_own_things_only(stranger: Person, mine: Belongings, theirs: Belongings) -> None:
    """Neither side may be foreign."""
    client = stranger.aws()
    assert refusal(lambda: client.associate_address(
        AllocationId=short(theirs, "floating"), InstanceId=short(mine, "server"))) == ABSENT["floating"]
    assert refusal(lambda: client.associate_address(
        AllocationId=short(mine, "floating"), InstanceId=short(theirs, "server"))) == ABSENT["server"]
    assert refusal(lambda: client.authorize_security_group_ingress(GroupId=short(mine, "group"), IpPermissions=[
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": short(theirs, "group")}]}])) == ABSENT["group"]
    assert refusal(lambda: client.create_security_group(
        GroupName="x", Description="x", VpcId=short(theirs, "network"))) == ABSENT["network"]


def test_a_reader_changes_nothing(reader: Person, theirs: Belongings) -> None:
    """And sees all of the own project."""
    client = reader.aws()
    server, group = short(theirs, "server"), short(theirs, "group")
    assert client.describe_instances(InstanceIds=[server])["Reservations"]
    for act in (lambda: client.terminate_instances(InstanceIds=[server]), lambda: client.allocate_address(),
                lambda: client.stop_instances(InstanceIds=[server]), lambda: client.create_key_pair(KeyName="x"),
                lambda: client.reboot_instances(InstanceIds=[server]),
                lambda: client.delete_security_group(GroupId=group),
                lambda: client.create_tags(Resources=[server], Tags=[{"Key": "a", "Value": "b"}]),
                lambda: client.run_instances(ImageId=short(theirs, "image"), MinCount=1, MaxCount=1),
                lambda: client.terminate_instances(InstanceIds=[server], DryRun=True)):
        assert refusal(act) == "UnauthorizedOperation"
