"""RunInstances as boto3 sends it, on the whole cloud in memory."""

import base64

import pytest
from attrs import evolve
from botocore.exceptions import ClientError

from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.model.hosts import HostCapacity
from stackd.store import quotas
from stackd.testing.cloud import MemoryCloud
from tests.api.ec2.bench import Bench, code_of, described


def launch(bench, **arguments):
    """The instances of one RunInstances."""
    return bench.client().run_instances(**{"ImageId": bench.image, "InstanceType": "t2.nano", "MinCount": 1,
                                           "MaxCount": 1, **arguments})["Instances"]


def test_an_instance_is_pending_at_once_and_running_after_a_while(bench, ec2):
    """With everything clients presume: VPC, subnet, interface, default group, private names."""
    [one] = launch(bench)
    assert one["State"] == {"Code": 0, "Name": "pending"}
    bench.settle([one["InstanceId"]], "running")
    [one] = described(ec2, [one["InstanceId"]])
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    assert one["VpcId"] == vpc["VpcId"]
    assert one["InstanceType"] == "t2.nano" and one["ImageId"] == bench.image
    assert [group["GroupName"] for group in one["SecurityGroups"]] == ["default"]
    assert one["PrivateDnsName"] == f"ip-{one['PrivateIpAddress'].replace('.', '-')}.ec2.internal"
    assert one["Placement"]["AvailabilityZone"] in ("us-east-1a", "us-east-1b")
    [interface] = one["NetworkInterfaces"]
    assert interface["Attachment"]["Status"] == "attached" and interface["SubnetId"] == one["SubnetId"]
    assert "StateReason" not in one


def test_boto3s_own_waiters_end(bench, ec2, monkeypatch):
    """instance_running, instance_status_ok, instance_stopped, instance_terminated; the cloud's time passes instead."""
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda seconds: bench.cloud.advance(1))
    ids = [one["InstanceId"] for one in launch(bench, MaxCount=2)]
    ec2.get_waiter("instance_running").wait(InstanceIds=ids)
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=ids)
    ec2.stop_instances(InstanceIds=ids)
    ec2.get_waiter("instance_stopped").wait(InstanceIds=ids)
    ec2.terminate_instances(InstanceIds=ids)
    ec2.get_waiter("instance_terminated").wait(InstanceIds=ids)


def test_several_at_once_share_a_reservation(bench, ec2):
    """Each has its launch index."""
    made = launch(bench, MinCount=2, MaxCount=3)
    assert sorted(one["AmiLaunchIndex"] for one in made) == [0, 1, 2]
    [reservation] = ec2.describe_instances(InstanceIds=[one["InstanceId"] for one in made])["Reservations"]
    assert len(reservation["Instances"]) == 3 and reservation["OwnerId"] == bench.cloud.caller.account


def test_the_same_client_token_gives_the_same_reservation(bench, ec2):
    """A retry launches nothing; other parameters are refused."""
    first, again = launch(bench, ClientToken="t"), launch(bench, ClientToken="t")
    assert [one["InstanceId"] for one in first] == [one["InstanceId"] for one in again]
    with pytest.raises(ClientError) as caught:
        launch(bench, ClientToken="t", InstanceType="t2.micro")
    assert code_of(caught) == "IdempotentParameterMismatch"
    assert len(described(ec2)) == 1


def test_a_client_token_whose_instance_is_forgotten_launches_nothing(bench, ec2):
    """It is no success with no instances."""
    ids = [one["InstanceId"] for one in launch(bench, ClientToken="t")]
    ec2.terminate_instances(InstanceIds=ids)
    bench.cloud.advance(4000)
    assert described(ec2) == []
    with pytest.raises(ClientError) as caught:
        launch(bench, ClientToken="t")
    assert code_of(caught) == "IdempotentInstanceTerminated"
    assert launch(bench, ClientToken="another")


def test_dry_runs_launch_nothing(bench, ec2):
    """412 when allowed, 403 for a reader."""
    with pytest.raises(ClientError) as caught:
        launch(bench, DryRun=True)
    assert code_of(caught) == "DryRunOperation"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    with pytest.raises(ClientError) as caught:
        bench.client(who="reader").run_instances(ImageId=bench.image, InstanceType="t2.nano", MinCount=1, MaxCount=1,
                                                 DryRun=True)
    assert code_of(caught) == "UnauthorizedOperation"
    assert described(ec2) == []


def test_user_data_key_zone_and_tags_reach_the_instance(bench, ec2):
    """All of them as asked; boto3 writes user data in base64 itself."""
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    [one] = launch(bench, KeyName="mine", UserData="#!/bin/sh\necho ä", Placement={"AvailabilityZone": "us-east-1b"},
                   TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"},
                                                                            {"Key": "env", "Value": "test"}]}])
    assert one["KeyName"] == "mine" and one["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert {tag["Key"]: tag["Value"] for tag in one["Tags"]} == {"Name": "web", "env": "test"}
    subnet = ec2.describe_subnets(SubnetIds=[one["SubnetId"]])["Subnets"][0]
    assert subnet["AvailabilityZone"] == "us-east-1b"
    shown = ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(shown).decode() == "#!/bin/sh\necho ä"


def test_instances_launched_together_share_the_name_tag(bench, ec2):
    """Though OpenStack shows them numbered."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    launch(bench, MaxCount=2, TagSpecifications=tags)
    found = described(ec2, Filters=[{"Name": "tag:Name", "Values": ["web"]}])
    assert len(found) == 2


def test_subnet_groups_and_address_as_asked(bench, ec2):
    """At the instance, or in its network interfaces."""
    group = ec2.create_security_group(GroupName="web", Description="Web servers")["GroupId"]
    subnet = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])["Subnets"][0]
    net = subnet["CidrBlock"].rpartition(".")[0]
    [plain] = launch(bench, SubnetId=subnet["SubnetId"], SecurityGroupIds=[group], PrivateIpAddress=f"{net}.77")
    [inner] = launch(bench, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "Groups": [group],
                                                "PrivateIpAddress": f"{net}.78"}])
    [named] = launch(bench, SecurityGroups=["web"])
    assert (plain["PrivateIpAddress"], inner["PrivateIpAddress"]) == (f"{net}.77", f"{net}.78")
    for one in (plain, inner, named):
        assert [found["GroupId"] for found in one["SecurityGroups"]] == [group]
    assert plain["Placement"]["AvailabilityZone"] == "us-east-1a"


@pytest.mark.parametrize("arguments, code", [
    ({"ImageId": "ami-12345678"}, "InvalidAMIID.NotFound"),
    ({"ImageId": "ami-" + "0" * 17}, "InvalidAMIID.NotFound"),
    ({"ImageId": "nonsense"}, "InvalidAMIID.Malformed"),
    ({"InstanceType": "t9.huge"}, "InvalidParameterValue"),
    ({"MinCount": 0}, "InvalidParameterValue"),
    ({"MinCount": 2}, "InvalidParameterValue"),
    ({"MaxCount": 100000}, "InvalidParameterValue"),
    ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
    ({"SecurityGroupIds": ["sg-12345678"]}, "InvalidGroup.NotFound"),
    ({"SecurityGroupIds": ["web"]}, "InvalidGroupId.Malformed"),
    ({"SecurityGroups": ["nobody"]}, "InvalidGroup.NotFound"),
    ({"SubnetId": "subnet-12345678"}, "InvalidSubnetID.NotFound"),
    ({"SubnetId": "vpc-12345678"}, "InvalidSubnetID.Malformed"),
    ({"Placement": {"AvailabilityZone": "mars-1a"}}, "InvalidParameterValue"),
    ({"Placement": {"Tenancy": "dedicated"}}, "UnsupportedOperation"),
    ({"PrivateIpAddress": "172.31.0.9"}, "MissingParameter"),
    ({"UserData": "x" * 16385}, "InvalidParameterValue"),
    ({"EbsOptimized": True}, "UnsupportedOperation"),
    ({"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}]}, "UnsupportedOperation"),
    ({"NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]}, "UnsupportedOperation"),
    ({"NetworkInterfaces": [{"DeviceIndex": 0}], "SecurityGroups": ["default"]}, "InvalidParameterCombination"),
    ({"ClientToken": "x" * 65}, "InvalidParameterValue"),
    ({"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}, "InvalidParameterValue"),
    ({"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "aws:a", "Value": "b"}]}]},
     "InvalidParameterValue"),
    ({"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a"}, {"Key": "a"}]}]},
     "InvalidParameterValue"),
])
def test_what_cannot_be_launched_says_why(bench, ec2, arguments, code):
    """In AWS's codes; nothing is launched."""
    with pytest.raises(ClientError) as caught:
        launch(bench, **arguments)
    assert code_of(caught) == code
    assert described(ec2) == []


def test_harmless_wishes_are_no_reason_to_refuse(bench):
    """What tools send by habit: false, defaults, and metadata options."""
    assert launch(bench, EbsOptimized=False, Monitoring={"Enabled": False}, MetadataOptions={"HttpTokens": "optional"},
                  InstanceInitiatedShutdownBehavior="stop", CreditSpecification={"CpuCredits": "standard"})


def test_quota_is_told_in_ec2s_words(bench, ec2):
    """The limit by its resource."""
    def small(tx):
        project = bench.cloud.caller.project_id
        quotas.change(tx, project, evolve(quotas.limits_of(tx, project), instances=1))
    bench.cloud.run(bench.cloud.database.write(small))
    assert len(launch(bench, MinCount=1, MaxCount=5)) == 1
    with pytest.raises(ClientError) as caught:
        launch(bench)
    assert code_of(caught) == "InstanceLimitExceeded"


def test_a_launch_that_finds_no_room_ends_terminated_with_its_reason(signing):
    """EC2 has no error state; the message says what was lacking."""
    small = HostCapacity(vcpus=1, memory_mib=256, disk_gib=10)
    cloud = MemoryCloud(hosts=1, options=FakeOptions(capacity=small)).start()
    signing(cloud)
    bench = Bench(cloud)
    [one] = launch(bench)
    cloud.until(lambda: described(bench.client(), [one["InstanceId"]])[0]["State"]["Name"] == "terminated", 900)
    [one] = described(bench.client(), [one["InstanceId"]])
    assert one["StateReason"]["Code"] == "Server.InsufficientInstanceCapacity"
    assert "host" in one["StateReason"]["Message"].lower()
