"""Public addresses through boto3."""

from tests.api.ec2.bench import refused


def test_the_life_of_an_address(bench, ec2):
    """Allocated, led to an instance, led elsewhere, led nowhere, released."""
    first, second = bench.running(MinCount=2, MaxCount=2)
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=[
        {"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "front"}]}])
    association = ec2.associate_address(InstanceId=first, AllocationId=made["AllocationId"])["AssociationId"]
    [shown] = ec2.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["front"]}])["Addresses"]
    assert (shown["PublicIp"], shown["InstanceId"], shown["AssociationId"]) == (made["PublicIp"], first, association)
    assert shown["PrivateIpAddress"] and shown["NetworkInterfaceId"].startswith("eni-")
    assert refused(ec2.release_address, AllocationId=made["AllocationId"]) == "InvalidIPAddress.InUse"
    assert refused(ec2.associate_address, InstanceId=second, AllocationId=made["AllocationId"],
                   AllowReassociation=False) == "Resource.AlreadyAssociated"
    ec2.associate_address(InstanceId=second, PublicIp=made["PublicIp"])
    assert ec2.describe_addresses(PublicIps=[made["PublicIp"]])["Addresses"][0]["InstanceId"] == second
    ec2.disassociate_address(AssociationId=association)
    assert "InstanceId" not in ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"][0]
    ec2.disassociate_address(PublicIp=made["PublicIp"])
    ec2.release_address(AllocationId=made["AllocationId"])
    assert ec2.describe_addresses()["Addresses"] == []


def test_a_second_address_takes_the_place_of_the_first(bench, ec2):
    """As in AWS, and by interface as well."""
    [id] = bench.running()
    one, two = (ec2.allocate_address()["AllocationId"] for _ in range(2))
    interface = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
    ec2.associate_address(InstanceId=id, AllocationId=one)
    ec2.associate_address(NetworkInterfaceId=interface["NetworkInterfaceId"], AllocationId=two,
                          PrivateIpAddress=interface["PrivateIpAddress"])
    shown = {entry["AllocationId"]: entry.get("InstanceId") for entry in ec2.describe_addresses()["Addresses"]}
    assert shown == {one: None, two: id}


def test_what_is_refused(bench, ec2):
    """In AWS's codes."""
    [id] = bench.running()
    made = ec2.allocate_address()["AllocationId"]
    absent = "eipalloc-" + "0" * 17
    assert refused(ec2.allocate_address, Domain="standard") == "InvalidParameterValue"
    assert refused(ec2.release_address, AllocationId=absent) == "InvalidAllocationID.NotFound"
    assert refused(ec2.release_address, AllocationId="nonsense") == "InvalidAllocationID.Malformed"
    assert refused(ec2.release_address, PublicIp="198.51.100.9") == "InvalidAddress.NotFound"
    assert refused(ec2.release_address) == "MissingParameter"
    assert refused(ec2.associate_address, AllocationId=made) == "MissingParameter"
    assert refused(ec2.associate_address, AllocationId=made, InstanceId="i-12345678") == "InvalidInstanceID.NotFound"
    assert refused(ec2.associate_address, AllocationId=made, InstanceId=id,
                   PrivateIpAddress="10.9.9.9") == "InvalidParameterValue"
    assert refused(ec2.disassociate_address, AssociationId="eipassoc-" + "0" * 17) == "InvalidAssociationID.NotFound"
    assert refused(ec2.describe_addresses, AllocationIds=[absent]) == "InvalidAllocationID.NotFound"
    assert refused(ec2.describe_addresses, PublicIps=["198.51.100.9"]) == "InvalidAddress.NotFound"
    stranger = bench.client(who="stranger")
    assert stranger.describe_addresses()["Addresses"] == []
    assert refused(stranger.release_address, AllocationId=made) == "InvalidAllocationID.NotFound"
