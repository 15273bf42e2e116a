"""Whatever AWS's model allows to be sent to any of our actions, the answer is clean XML and never a defect."""

import xml.etree.ElementTree as ElementTree

import pytest
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from stackd.api.ec2 import model
from stackd.api.ec2.dispatch import EC2
from tests.api.ec2.shapes import MOST, values
from tests.api.ec2.test_resource import code, signed

SERVICE = model.load("ec2", frozenset(EC2))


@pytest.fixture
def things(bench, ec2):
    """Something real for the parameters that name things."""
    [instance] = bench.running()
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    address = ec2.allocate_address()
    return {"InstanceId": instance, "InstanceIds": [instance], "ImageId": bench.image, "InstanceType": "t2.nano",
            "GroupId": group, "SecurityGroupIds": [group], "AllocationId": address["AllocationId"], "MinCount": 1,
            "MaxCount": 1, "SubnetId": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
            "VpcId": ec2.describe_vpcs()["Vpcs"][0]["VpcId"], "Resources": [instance, group],
            "PublicIp": address["PublicIp"], "GroupName": "default", "Domain": "vpc"}


@MOST
@given(draws=st.data(), action=st.sampled_from(sorted(EC2)))
def test_no_parameters_bring_about_a_defect(bench, things, draws, action):
    """Refused in AWS's words, or answered."""
    operation = SERVICE.operations[action]
    asked = draws.draw(values(operation.input_shape)) if operation.input_shape else {}
    asked.pop("DryRun", None)
    fitting = sorted(things.keys() & operation.input_shape.members.keys())
    for name in draws.draw(st.lists(st.sampled_from(fitting), unique=True)) if fitting else ():
        asked[name] = things[name]
    body = create_serializer("ec2", include_validation=False).serialize_to_request(asked, operation)["body"]
    status, answer = signed(bench, body)
    assert isinstance(answer, ElementTree.Element)
    assert status < 500 or code(answer) == "InsufficientInstanceCapacity", ElementTree.tostring(answer)


@MOST
@given(draws=st.data(), action=st.sampled_from(sorted(EC2)),
       text=st.one_of(st.text(max_size=20), st.sampled_from(["-1", "0", "i-" + "0" * 17, "true", "*", "\\", "9" * 30])))
def test_no_text_in_any_place_brings_about_a_defect(bench, draws, action, text):
    """Every parameter of every action, with something else in it than it is for."""
    shape = SERVICE.operations[action].input_shape
    name = draws.draw(st.sampled_from(sorted(shape.members)))
    suffix = draws.draw(st.sampled_from(["", ".1", ".1.Name", ".1.Value.1", ".2.ResourceType", ".1.Key", ".x", "."]))
    location = shape.members[name].serialization.get("name", name)
    parameter = f"{location[0].upper()}{location[1:]}{suffix}"
    status, answer = signed(bench, {"Action": action, "Version": "2016-11-15", parameter: text})
    assert status < 500, ElementTree.tostring(answer)
