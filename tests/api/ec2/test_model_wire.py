"""Our parser and renderer against botocore's own serializer and parser, over shapes filled at random."""

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from stackd import errors
from stackd.api.ec2 import model
from stackd.api.ec2.parsing import Parser
from stackd.api.ec2.rendering import Renderer
from tests.api.ec2.shapes import MOST, values

ACTIONS = ("RunInstances", "DescribeInstances", "DescribeInstanceTypes", "AuthorizeSecurityGroupIngress", "CreateTags",
           "DescribeImages", "ImportKeyPair", "DescribeSecurityGroups", "GetConsoleOutput", "DescribeVpcs")
EC2 = model.load("ec2", frozenset(ACTIONS))
STS = model.load("sts", frozenset({"GetCallerIdentity", "AssumeRole"}))
@MOST
@given(draws=st.data(), action=st.sampled_from(ACTIONS))
def test_what_botocore_serializes_is_parsed_back(draws, action):
    """parse(serialize(x)) == x for every shape of the input."""
    operation = EC2.operations[action]
    asked = draws.draw(values(operation.input_shape))
    body = create_serializer("ec2", include_validation=False).serialize_to_request(asked, operation)["body"]
    parameters = {name: str(value) for name, value in body.items() if name not in ("Action", "Version")}
    assert Parser(operation.input_shape, "ec2")(parameters) == asked


@MOST
@given(draws=st.data(), chosen=st.sampled_from([(EC2, action) for action in ACTIONS if action != "CreateTags"]
                                               + [(STS, "GetCallerIdentity"), (STS, "AssumeRole")]))
def test_what_we_render_botocore_parses_back(draws, chosen):
    """botocore.parse(render(x)) == x for every shape of the output."""
    service, action = chosen
    operation = service.operations[action]
    answer = draws.draw(values(operation.output_shape))
    body = Renderer(operation, service.namespace)(answer, "req-1")
    parsed = create_parser(operation.service_model.protocol).parse(
        {"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "req-1"
    assert parsed == answer


def test_the_query_protocol_of_sts_is_parsed_too():
    """Lists are written with ``member`` there."""
    operation = STS.operations["AssumeRole"]
    asked = {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "me",
             "Tags": [{"Key": "a", "Value": "b"}], "DurationSeconds": 900}
    body = create_serializer("query").serialize_to_request(asked, operation)["body"]
    parameters = {name: str(value) for name, value in body.items() if name not in ("Action", "Version")}
    assert Parser(operation.input_shape, "query")(parameters) == asked


@pytest.mark.parametrize("parameters, error, words", [
    ({"Nonsense": "1"}, errors.UnknownField, "Nonsense"),
    ({"Filter.1.Nonsense": "1"}, errors.UnknownField, "Filter.1.Nonsense"),
    ({"Filter.1.Name.2": "1"}, errors.UnknownField, "Filter.1.Name.2"),
    ({"InstanceId": "i-1"}, errors.InvalidValue, "InstanceId.1"),
    ({"InstanceId.x": "i-1"}, errors.InvalidValue, "numbered"),
    ({"InstanceId.0": "i-1"}, errors.InvalidValue, "numbered"),
    ({"InstanceId.1": "i-1", "InstanceId.1.2": "i-1"}, errors.UnknownField, "InstanceId.1.2"),
    ({"MaxResults": "many"}, errors.InvalidValue, "not an integer"),
    ({"MaxResults": "99999999999999999999999"}, errors.InvalidValue, "not an integer"),
    ({"MaxResults": "4294967296"}, errors.InvalidValue, "between"),
    ({"MaxResults": "١"}, errors.InvalidValue, "not an integer"),
    ({"DryRun": "perhaps"}, errors.InvalidValue, "neither true nor false"),
    ({"Filter": "x"}, errors.InvalidValue, "Filter"),
    ({".": "x"}, errors.UnknownField, "."),
    ({f"InstanceId.{n}": "i-1" for n in range(1, 1002)}, errors.InvalidValue, "1000"),
])
def test_what_the_shape_cannot_hold_is_refused_by_name(parameters, error, words):
    """Never a guess, and the message names the parameter."""
    with pytest.raises(error) as caught:
        Parser(EC2.operations["DescribeInstances"].input_shape, "ec2")(parameters)
    assert words in str(caught.value)


def test_a_required_parameter_must_be_there():
    """RunInstances needs its counts."""
    with pytest.raises(errors.MissingValue, match="MaxCount"):
        Parser(EC2.operations["RunInstances"].input_shape, "ec2")({"MinCount": "1"})


def test_enums_are_checked_except_instance_types():
    """The flavors of the cloud say which instance types there are."""
    parse = Parser(EC2.operations["RunInstances"].input_shape, "ec2")
    counts = {"MinCount": "1", "MaxCount": "1"}
    assert parse({**counts, "InstanceType": "m1.tiny"})["InstanceType"] == "m1.tiny"
    with pytest.raises(errors.InvalidValue, match="Tenancy"):
        parse({**counts, "Placement.Tenancy": "castle"})


def test_characters_xml_cannot_hold_do_not_break_the_answer():
    """Control characters are replaced, markup is escaped, a carriage return survives."""
    operation = EC2.operations["GetConsoleOutput"]
    body = Renderer(operation, EC2.namespace)({"Output": "a\x00\x1b[0m<&>\r\n\ufffe\ud800"}, "req-1")
    parsed = create_parser("ec2").parse({"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
    assert parsed["Output"] == "a\ufffd\ufffd[0m<&>\r\n\ufffd\ufffd"


def test_answers_are_in_the_namespace_libcloud_searches():
    """Namespace and root element, exactly."""
    body = Renderer(EC2.operations["DescribeInstances"], EC2.namespace)({"Reservations": []}, "req-1")
    assert b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' in body
    assert b"<reservationSet></reservationSet>" in body


def test_what_has_nothing_to_say_says_true():
    """As AWS does though its model does not know, and libcloud looks for it."""
    body = Renderer(EC2.operations["CreateTags"], EC2.namespace)({}, "req-1")
    assert b"<requestId>req-1</requestId><return>true</return></CreateTagsResponse>" in body


def test_a_member_the_model_lacks_is_a_defect():
    """Views cannot invent members."""
    with pytest.raises(KeyError):
        Renderer(EC2.operations["DescribeInstances"], EC2.namespace)({"Servers": []}, "req-1")


def test_the_model_knows_actions_it_does_not_keep():
    """So that an action we lack is told from one that does not exist."""
    assert "CreateVolume" in EC2.known and "CreateVolume" not in EC2.operations
    assert "LaunchRocket" not in EC2.known
