"""Tags over every kind of resource through boto3; those of instances are their metadata."""

import pytest

from tests.api.ec2.bench import described, refused


def tags_of(ec2, **filters):
    """(resource, key, value) of DescribeTags."""
    found = ec2.describe_tags(Filters=[{"Name": name.replace("_", "-"), "Values": values}
                                       for name, values in filters.items()])["Tags"]
    return {(tag["ResourceId"], tag["Key"], tag["Value"]) for tag in found}


def test_an_instances_tags_are_its_metadata_and_its_name(bench, ec2):
    """Either API sees what the other wrote."""
    [id] = bench.running()
    ec2.create_tags(Resources=[id], Tags=[{"Key": "Name", "Value": "web"}, {"Key": "env", "Value": "test"}])
    row = bench.cloud.run(bench.cloud.core.instances.get(bench.cloud.caller, _full(bench, id))).instance
    assert row.name == "web" and row.metadata["env"] == "test"
    bench.cloud.run(bench.cloud.core.instances.rename(bench.cloud.caller, row.id, name="front"))
    assert tags_of(ec2, resource_id=[id]) == {(id, "Name", "front"), (id, "env", "test")}
    assert tags_of(ec2, resource_type=["instance"], key=["e*"]) == {(id, "env", "test")}
    [one] = ec2.describe_tags(Filters=[{"Name": "tag:env", "Values": ["t*"]}])["Tags"]
    assert (one["ResourceId"], one["Key"]) == (id, "env")
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "env", "Value": "other"}])
    assert (id, "env", "test") in tags_of(ec2)
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "env"}, {"Key": "Name", "Value": "front"}])
    assert tags_of(ec2) == set() and described(ec2, [id])[0]["Tags"] == []


def _full(bench, ec2_id):
    return bench.cloud.run(bench.cloud.core.shortids.one(bench.cloud.caller, "instance", ec2_id))


def test_everything_else_has_tags_too(bench, ec2):
    """Several kinds at once; they show at the resource."""
    ids = [ec2.describe_vpcs()["Vpcs"][0]["VpcId"], ec2.describe_subnets()["Subnets"][0]["SubnetId"],
           ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"], bench.image,
           ec2.allocate_address()["AllocationId"], ec2.create_key_pair(KeyName="k", KeyType="ed25519")["KeyPairId"]]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "team", "Value": "blue"}])
    assert tags_of(ec2) == {(id, "team", "blue") for id in ids}
    wanted = [{"Name": "tag:team", "Values": ["b*"]}]
    assert ec2.describe_vpcs(Filters=wanted)["Vpcs"] and ec2.describe_subnets(Filters=wanted)["Subnets"]
    assert ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    assert ec2.describe_images(Filters=wanted)["Images"] and ec2.describe_addresses(Filters=wanted)["Addresses"]
    assert ec2.describe_key_pairs(Filters=wanted)["KeyPairs"]
    assert bench.client(who="admin").describe_images()["Images"][0]["Tags"] == []
    ec2.delete_tags(Resources=ids)
    assert tags_of(ec2) == set()


@pytest.mark.parametrize("resources, tags, code", [
    (["i-12345678"], [{"Key": "a", "Value": "b"}], "InvalidInstanceID.NotFound"),
    (["vol-12345678"], [{"Key": "a", "Value": "b"}], "InvalidID"),
    (["nonsense"], [{"Key": "a", "Value": "b"}], "InvalidID"),
    (["vpc-nonsense"], [{"Key": "a", "Value": "b"}], "InvalidVpcID.Malformed"),
    ([], [{"Key": "a", "Value": "b"}], "MissingParameter"),
    (["vpc-12345678"], [], "MissingParameter"),
    (["vpc-12345678"], [{"Key": "aws:a", "Value": "b"}], "InvalidParameterValue"),
    (["vpc-12345678"], [{"Key": "k" * 128, "Value": "b"}], "InvalidParameterValue"),
])
def test_what_is_refused(ec2, resources, tags, code):
    """In AWS's codes."""
    assert refused(ec2.create_tags, Resources=resources, Tags=tags) == code


def test_too_many_tags(ec2):
    """Fifty on anything but an instance."""
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    assert refused(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "more", "Value": ""}]) == "TagLimitExceeded"
    paged = [tag["Key"] for page in ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 7})
             for tag in page["Tags"]]
    assert sorted(paged) == sorted(f"k{n}" for n in range(50))
