"""Describing and changing instances as boto3 does."""

import base64
from datetime import UTC

import pytest
from botocore.exceptions import ClientError

from tests.api.ec2.bench import code_of, described, refused


def names(found):
    """The ids of instances."""
    return [one["InstanceId"] for one in found]


def test_stop_start_reboot_terminate(bench, ec2):
    """Each answers with the state before and after, and the instance follows."""
    ids = bench.running()
    [change] = ec2.stop_instances(InstanceIds=ids)["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    bench.settle(ids, "stopped")
    assert described(ec2, ids)[0]["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    [change] = ec2.start_instances(InstanceIds=ids)["StartingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("stopped", "pending")
    bench.settle(ids, "running")
    ec2.reboot_instances(InstanceIds=ids)
    assert described(ec2, ids)[0]["State"]["Name"] == "running"
    [change] = ec2.terminate_instances(InstanceIds=ids)["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    bench.settle(ids, "terminated")
    [change] = ec2.terminate_instances(InstanceIds=ids)["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("terminated", "terminated")


def test_terminated_instances_are_shown_for_an_hour(bench, ec2):
    """Without their network, and then never more."""
    ids = bench.running()
    ec2.terminate_instances(InstanceIds=ids)
    bench.settle(ids, "terminated")
    [one] = described(ec2)
    assert "PrivateIpAddress" not in one and one["NetworkInterfaces"] == []
    bench.cloud.clock.advance(3700)
    assert described(ec2) == []
    assert refused(ec2.describe_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"
    assert refused(ec2.terminate_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"


@pytest.mark.parametrize("action", ["stop_instances", "start_instances", "reboot_instances", "terminate_instances"])
def test_actions_on_what_is_not_there(ec2, action):
    """Malformed, unknown, and none at all are told apart; one bad id fails all."""
    call = getattr(ec2, action)
    assert refused(call, InstanceIds=["i-12345678"]) == "InvalidInstanceID.NotFound"
    assert refused(call, InstanceIds=["i-" + "0" * 17, "i-" + "1" * 17]) == "InvalidInstanceID.NotFound"
    assert refused(call, InstanceIds=["nonsense"]) == "InvalidInstanceID.Malformed"
    assert refused(call, InstanceIds=[]) == "MissingParameter"


@pytest.mark.parametrize("action", ["stop_instances", "start_instances", "reboot_instances", "terminate_instances"])
def test_rehearsed_actions_change_nothing(bench, ec2, action):
    """DryRun, for a member and for a reader."""
    ids = bench.running()
    before = described(ec2, ids)
    assert refused(getattr(ec2, action), InstanceIds=ids, DryRun=True) == "DryRunOperation"
    assert refused(getattr(bench.client(who="reader"), action), InstanceIds=ids,
                   DryRun=True) == "UnauthorizedOperation"
    assert described(ec2, ids) == before


def test_what_the_life_cycle_refuses(bench, ec2):
    """A pending instance cannot be stopped; the message names it as the client does."""
    [one] = ec2.run_instances(ImageId=bench.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"]
    with pytest.raises(ClientError) as caught:
        ec2.stop_instances(InstanceIds=[one["InstanceId"]])
    assert code_of(caught) == "IncorrectInstanceState"
    assert one["InstanceId"] in str(caught.value)


def test_foreign_instances_are_not_found(bench, ec2):
    """And not shown."""
    ids = bench.running()
    stranger = bench.client(who="stranger")
    assert described(stranger) == []
    assert refused(stranger.describe_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"
    assert refused(stranger.terminate_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"


def test_filters(bench, ec2):
    """Alternatives inside a filter, conjunction between filters, wildcards, tags."""
    tag = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}, {"Key": "env", "Value": "x"}]}]
    [web] = bench.running(TagSpecifications=tag)
    [other] = bench.running(InstanceType="t2.micro")
    ec2.stop_instances(InstanceIds=[other])
    bench.settle([other], "stopped")

    def found(**filters):
        asked = [{"Name": name.replace("__", ":").replace("_", "-"), "Values": values}
                 for name, values in filters.items()]
        return set(names(described(ec2, Filters=asked)))

    assert found(instance_state_name=["running"]) == {web}
    assert found(instance_state_name=["running", "stopped"]) == {web, other}
    assert found(instance_state_code=["16"]) == {web}
    assert found(instance_state_name=["stopped"], instance_type=["t2.nano"]) == set()
    assert found(instance_type=["t2.*"]) == {web, other}
    assert found(instance_type=["t2.?ano"]) == {web}
    assert found(tag__Name=["web-*"]) == found(tag_key=["env"]) == found(tag_value=["x"]) == {web}
    assert found(tag__name=["web-*"]) == set()
    [one] = described(ec2, [web])
    day = one["LaunchTime"].astimezone(UTC).strftime("%Y-%m-%dT*")
    assert found(launch_time=[day]) == {web, other} and found(launch_time=["1999-*"]) == set()
    assert found(private_ip_address=[one["PrivateIpAddress"]]) == {web}
    assert found(subnet_id=[one["SubnetId"]], vpc_id=[one["VpcId"]], group_name=["default"]) >= {web}
    reservation = ec2.describe_instances(InstanceIds=[web])["Reservations"][0]["ReservationId"]
    assert found(reservation_id=[reservation]) == {web}
    assert found(owner_id=[bench.cloud.caller.account]) == {web, other}
    assert refused(ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}]) == "InvalidParameterValue"
    assert refused(ec2.describe_instances, Filters=[{"Name": "vpc-id", "Values": []}]) == "InvalidParameterValue"


def test_states_are_filtered_whatever_the_database_leaves_out(bench, ec2):
    """Pending, running, terminated; by name and by pattern."""
    [up] = bench.running()
    [gone] = bench.running()
    ec2.terminate_instances(InstanceIds=[gone])
    bench.settle([gone], "terminated")
    [new] = [one["InstanceId"] for one in ec2.run_instances(
        ImageId=bench.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"]]
    for values, ids in ((["pending"], {new}), (["running"], {up}), (["terminated"], {gone}),
                        (["*ing"], {new, up}), (["running", "term*"], {up, gone}), (["*"], {up, gone, new}),
                        (["shut*"], set()), (["nonsense"], set())):
        found = described(ec2, Filters=[{"Name": "instance-state-name", "Values": values}])
        assert set(names(found)) == ids, values


def test_pages(bench, ec2):
    """Each instance comes once; tokens are opaque and cannot be made up or used elsewhere."""
    ec2.run_instances(ImageId=bench.image, InstanceType="t2.nano", MinCount=12, MaxCount=12)
    everything = names(described(ec2))
    paged = [one for page in ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
             for reservation in page["Reservations"] for one in names(reservation["Instances"])]
    assert sorted(paged) == sorted(everything) and len(set(paged)) == 12
    token = ec2.describe_instances(MaxResults=5)["NextToken"]
    assert len(described(ec2, NextToken=token)) == 7
    for wrong in ("nonsense", token[:-2], token[:-1] + ("A" if token[-1] != "A" else "B"), "ä"):
        assert refused(ec2.describe_instances, NextToken=wrong) == "InvalidNextToken"
    assert refused(ec2.describe_instance_status, NextToken=token) == "InvalidNextToken"
    assert refused(ec2.describe_instances, MaxResults=5, InstanceIds=everything[:1]) == "InvalidParameterCombination"
    assert refused(ec2.describe_instances, MaxResults=4) == "InvalidParameterValue"
    assert refused(ec2.describe_instances, MaxResults=1001) == "InvalidParameterValue"


def test_status_shows_what_runs_unless_all_is_asked_for(bench, ec2):
    """As waiters need it."""
    [up] = bench.running()
    [down] = bench.running()
    ec2.stop_instances(InstanceIds=[down])
    bench.settle([down], "stopped")
    [status] = ec2.describe_instance_status()["InstanceStatuses"]
    assert status["InstanceId"] == up
    assert status["InstanceStatus"]["Status"] == status["SystemStatus"]["Status"] == "ok"
    assert ec2.describe_instance_status(InstanceIds=[down])["InstanceStatuses"] == []
    everything = ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
    assert {one["InstanceId"]: one["InstanceState"]["Name"] for one in everything} == {up: "running", down: "stopped"}
    assert not ec2.describe_instance_status(Filters=[{"Name": "instance-status.status", "Values": ["impaired"]}])[
        "InstanceStatuses"]


def test_an_instance_whose_host_is_gone_is_impaired(bench, ec2):
    """The system check fails, what the guest does is not known; it still counts as running."""
    [id] = bench.running()
    host = next(one.name for one in bench.cloud.hosts if one.guests.guests)
    bench.cloud.kill(f"compute@{host}")
    bench.cloud.advance(75)
    [status] = ec2.describe_instance_status()["InstanceStatuses"]
    assert status["InstanceState"]["Name"] == "running"
    assert status["SystemStatus"] == {"Status": "impaired", "Details": [{"Name": "reachability", "Status": "failed"}]}
    assert status["InstanceStatus"]["Status"] == "insufficient-data"
    found = ec2.describe_instance_status(Filters=[{"Name": "system-status.status", "Values": ["impaired"]}])
    assert [one["InstanceId"] for one in found["InstanceStatuses"]] == [id]
    bench.cloud.build(f"compute@{host}")
    bench.cloud.advance(5)
    [status] = ec2.describe_instance_status()["InstanceStatuses"]
    assert status["InstanceStatus"]["Status"] == status["SystemStatus"]["Status"] == "ok"


def test_console_output(bench, ec2):
    """What the guest wrote; boto3 decodes the base64."""
    [id] = bench.running()
    answer = ec2.get_console_output(InstanceId=id)
    assert answer["InstanceId"] == id and "tiny: ready" in answer["Output"] and answer["Timestamp"]
    assert refused(ec2.get_console_output, InstanceId="i-12345678") == "InvalidInstanceID.NotFound"


@pytest.mark.parametrize("attribute, member, value", [
    ("instanceType", "InstanceType", {"Value": "t2.nano"}),
    ("disableApiTermination", "DisableApiTermination", {"Value": False}),
    ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", {"Value": "stop"}),
    ("userData", "UserData", {"Value": base64.b64encode(b"hello").decode()}),
    ("sourceDestCheck", "SourceDestCheck", {"Value": True}),
    ("blockDeviceMapping", "BlockDeviceMappings", []),
])
def test_attributes(bench, ec2, attribute, member, value):
    """One at a time."""
    [one] = ec2.run_instances(ImageId=bench.image, InstanceType="t2.nano", MinCount=1, MaxCount=1,
                              UserData="hello")["Instances"]
    assert ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute=attribute)[member] == value


def test_groups_as_an_attribute_and_an_attribute_we_lack(bench, ec2):
    """An instance's groups; enclaves are not offered."""
    [one] = ec2.run_instances(ImageId=bench.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"]
    found = ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="groupSet")["Groups"]
    assert found == one["SecurityGroups"]
    assert refused(ec2.describe_instance_attribute, InstanceId=one["InstanceId"],
                   Attribute="enclaveOptions") == "UnsupportedOperation"


def test_an_address_shows_at_the_instance(bench, ec2):
    """Also as a filter."""
    [id] = bench.running()
    public = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=id, AllocationId=public["AllocationId"])
    [one] = described(ec2, Filters=[{"Name": "ip-address", "Values": [public["PublicIp"]]}])
    assert one["InstanceId"] == id and one["PublicIpAddress"] == public["PublicIp"]
    assert one["NetworkInterfaces"][0]["Association"]["PublicIp"] == public["PublicIp"]
