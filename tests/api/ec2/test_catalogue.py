"""What there is to launch from and into: images, types, zones, networks; and who asks."""

import ipaddress

import pytest

from tests.api.ec2.bench import refused


def test_images(bench, ec2):
    """A public image of another project is available, and owned by the provider."""
    [image] = ec2.describe_images()["Images"]
    assert (image["ImageId"], image["Name"], image["State"], image["Public"]) == (
        bench.image, "tiny", "available", True)
    assert image["ImageType"] == "machine" and image["CreationDate"].endswith("Z")
    assert ec2.describe_images(ImageIds=[bench.image])["Images"] == [image]
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert ec2.describe_images(Owners=["amazon"])["Images"] == ec2.describe_images(ExecutableUsers=["all"])["Images"]
    [own] = bench.client(who="admin").describe_images(Owners=["self"])["Images"]
    assert own["OwnerId"] == bench.cloud.admin.account
    found = ec2.describe_images(Filters=[{"Name": "name", "Values": ["ti*"]},
                                         {"Name": "state", "Values": ["available"]}])
    assert found["Images"] == [image]
    assert refused(ec2.describe_images, ImageIds=["ami-12345678"]) == "InvalidAMIID.NotFound"
    assert refused(ec2.describe_images, ImageIds=["tiny"]) == "InvalidAMIID.Malformed"


def test_instance_types(ec2):
    """By name, by filter, in pages; and where they are offered."""
    [one] = ec2.describe_instance_types(InstanceTypes=["t2.micro"])["InstanceTypes"]
    assert one["MemoryInfo"]["SizeInMiB"] == 1024 and one["VCpuInfo"]["DefaultVCpus"] == 1
    paged = [one["InstanceType"] for page in ec2.get_paginator("describe_instance_types").paginate(
        PaginationConfig={"PageSize": 5}) for one in page["InstanceTypes"]]
    everything = [one["InstanceType"] for one in ec2.describe_instance_types()["InstanceTypes"]]
    assert sorted(paged) == sorted(everything) and len(paged) > 5
    big = ec2.describe_instance_types(Filters=[{"Name": "memory-info.size-in-mib", "Values": ["1024"]}])
    assert "t2.micro" in {one["InstanceType"] for one in big["InstanceTypes"]}
    assert refused(ec2.describe_instance_types, InstanceTypes=["t2.enormous"]) == "InvalidParameterValue"
    assert refused(ec2.describe_instance_types, InstanceTypes=["t2.micro"],
                   MaxResults=5) == "InvalidParameterCombination"
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[
        {"Name": "instance-type", "Values": ["t2.micro"]}])["InstanceTypeOfferings"]
    assert sorted(one["Location"] for one in offered) == ["us-east-1a", "us-east-1b"]


def test_regions_and_zones(ec2):
    """One region, at the address the client used, with the zones of the cloud."""
    [region] = ec2.describe_regions()["Regions"]
    assert (region["RegionName"], region["Endpoint"]) == ("us-east-1", "cloud.test:8773")
    assert refused(ec2.describe_regions, RegionNames=["mars-1"]) == "InvalidParameterValue"
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(one["ZoneName"], one["State"]) for one in zones] == [("us-east-1a", "available"),
                                                                  ("us-east-1b", "available")]
    [one] = ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]
    assert one["ZoneId"] == zones[1]["ZoneId"]
    assert refused(ec2.describe_availability_zones, ZoneNames=["mars-1a"]) == "InvalidParameterValue"


def test_the_default_vpc_and_its_subnets(ec2):
    """As Ansible looks for them; the external network is not shown."""
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    assert ec2.describe_vpcs()["Vpcs"] == [vpc] and vpc["IsDefault"] is True and vpc["State"] == "available"
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]},
                                            {"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    assert sorted(one["AvailabilityZone"] for one in subnets) == ["us-east-1a", "us-east-1b"]
    for one in subnets:
        assert ipaddress.ip_network(one["CidrBlock"]).subnet_of(ipaddress.ip_network(vpc["CidrBlock"]))
        assert one["AvailableIpAddressCount"] > 100
    assert refused(ec2.describe_vpcs, VpcIds=["vpc-12345678"]) == "InvalidVpcID.NotFound"
    assert refused(ec2.describe_vpcs, VpcIds=["default"]) == "InvalidVpcID.Malformed"
    assert refused(ec2.describe_subnets, SubnetIds=["subnet-12345678"]) == "InvalidSubnetID.NotFound"
    attributes = {one["AttributeName"]: one["AttributeValues"][0]["AttributeValue"]
                  for one in ec2.describe_account_attributes()["AccountAttributes"]}
    assert attributes == {"supported-platforms": "VPC", "default-vpc": vpc["VpcId"]}
    [one] = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert one["AttributeName"] == "default-vpc"


def test_network_interfaces(bench, ec2):
    """Those of instances lead back to them, and take an address from their subnet."""
    before = {one["SubnetId"]: one["AvailableIpAddressCount"] for one in ec2.describe_subnets()["Subnets"]}
    [id] = bench.running()
    [one] = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])[
        "NetworkInterfaces"]
    assert one["Status"] == "in-use" and one["Attachment"]["InstanceId"] == id
    after = {one["SubnetId"]: one["AvailableIpAddressCount"] for one in ec2.describe_subnets()["Subnets"]}
    assert before[one["SubnetId"]] - after[one["SubnetId"]] == 1
    assert ec2.describe_network_interfaces(NetworkInterfaceIds=[one["NetworkInterfaceId"]])["NetworkInterfaces"]
    assert refused(ec2.describe_network_interfaces,
                   NetworkInterfaceIds=["eni-12345678"]) == "InvalidNetworkInterfaceID.NotFound"


@pytest.mark.parametrize("who", ["member", "admin"])
def test_who_am_i(bench, who):
    """The account is the project's stable number."""
    told = bench.client("sts", who=who).get_caller_identity()
    caller = bench.callers[who]
    assert (told["Account"], told["UserId"]) == (caller.account, caller.user_id)
    assert told["Arn"] == f"arn:aws:iam::{caller.account}:user/{caller.user_name}"
