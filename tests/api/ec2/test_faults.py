"""Errors in AWS's words: complete, and parsed by botocore as it parses AWS's own."""

import pytest
from botocore.parsers import create_parser

from stackd import errors
from stackd.api.ec2 import faults
from stackd.model import ids, kinds
from stackd.model.quotas import QuotaSet

ID = "0123456789abcdef0123456789abcdef"
EC2_ID = "0123456789abcdef0"


def tree(cls=errors.StackdError):
    """Every error there is."""
    for sub in cls.__subclasses__():
        if sub.__module__ == errors.__name__:
            yield sub
            yield from tree(sub)


@pytest.mark.parametrize("cls", list(tree()))
def test_every_error_has_a_code_of_its_own(cls):
    """The table names each, so that none is forgotten."""
    status, code = faults.TABLE[cls]
    assert 400 <= status <= 599 and code


def parsed(error, service="ec2"):
    """What boto3 makes of an error's XML."""
    status, body = faults.render(error, "req-1", service, "http://example/")
    answer = create_parser("ec2" if service == "ec2" else "query").parse(
        {"status_code": status, "headers": {}, "body": body}, None)
    assert answer["ResponseMetadata"]["RequestId"] == "req-1"
    return status, answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.mark.parametrize("error, status, code", [
    (errors.NotFound(kinds.INSTANCE, "i-1"), 400, "InvalidInstanceID.NotFound"),
    (errors.NotFound(kinds.IMAGE, "x"), 400, "InvalidAMIID.NotFound"),
    (errors.NotFound(kinds.SECURITY_GROUP, "x"), 400, "InvalidGroup.NotFound"),
    (errors.NotFound(kinds.KEYPAIR, "x"), 400, "InvalidKeyPair.NotFound"),
    (errors.NotFound(kinds.FLOATING_IP, "eipalloc-1"), 400, "InvalidAllocationID.NotFound"),
    (errors.NotFound(kinds.FLOATING_IP, "192.0.2.1"), 400, "InvalidAddress.NotFound"),
    (errors.NotFound(kinds.NETWORK, "x"), 400, "InvalidVpcID.NotFound"),
    (errors.NotFound(kinds.SUBNET, "x"), 400, "InvalidSubnetID.NotFound"),
    (errors.NotFound(kinds.PORT, "x"), 400, "InvalidNetworkInterfaceID.NotFound"),
    (errors.NotFound(kinds.FLAVOR, "x"), 400, "InvalidParameterValue"),
    (errors.NotFound("comet", "x"), 400, "InvalidResourceID.NotFound"),
    (errors.MalformedId(kinds.INSTANCE, "x"), 400, "InvalidInstanceID.Malformed"),
    (errors.MalformedId(kinds.SECURITY_GROUP, "x"), 400, "InvalidGroupId.Malformed"),
    (errors.WrongState(kinds.INSTANCE, "x", "building", "stop"), 400, "IncorrectInstanceState"),
    (errors.AlreadyExists(kinds.KEYPAIR, "x"), 400, "InvalidKeyPair.Duplicate"),
    (errors.InUse(kinds.SECURITY_GROUP, "x", "3 ports"), 400, "DependencyViolation"),
    (errors.DryRunSucceeded("yes"), 412, "DryRunOperation"),
    (errors.NotAllowed("no"), 403, "UnauthorizedOperation"),
    (errors.UnknownAccessKey("who"), 401, "AuthFailure"),
    (errors.NoCapacity("full"), 500, "InsufficientInstanceCapacity"),
    (errors.CallTimedOut("late"), 503, "Unavailable"),
    (errors.ImageVanished("gone"), 400, "InvalidAMIID.Unavailable"),
    (errors.Internal("oops"), 500, "InternalError"),
])
def test_codes_of_ec2(error, status, code):
    """By class, and by what the error is about."""
    assert parsed(error)[:2] == (status, code)


@pytest.mark.parametrize("error, status, code", [
    (errors.NotAuthenticated("who"), 403, "MissingAuthenticationToken"),
    (errors.UnknownAccessKey("who"), 403, "InvalidClientTokenId"),
    (errors.SignatureMismatch("no"), 403, "SignatureDoesNotMatch"),
    (errors.UnknownAction("what"), 400, "InvalidAction"),
    (errors.Internal("oops"), 500, "InternalError"),
])
def test_codes_of_sts(error, status, code):
    """STS has other words and another form."""
    assert parsed(error, "sts")[:2] == (status, code)


@pytest.mark.parametrize("resource", sorted(name for name in QuotaSet.__annotations__))
def test_every_quota_has_a_code(resource):
    """All of the same kind."""
    assert parsed(errors.QuotaExceeded(resource, 1, 1, 1))[1].endswith("LimitExceeded")


@pytest.mark.parametrize("kind", sorted(ids.EC2_PREFIXES))
def test_messages_show_ids_as_the_client_knows_them(kind):
    """Never the inner ones."""
    words = parsed(errors.NotFound(kind, ID))[2]
    assert f"{ids.EC2_PREFIXES[kind]}-{EC2_ID}" in words and ID not in words


def test_markup_in_messages_is_escaped():
    """What a user wrote cannot break the answer."""
    words = parsed(errors.InvalidValue("<Filter>", "a & b \x00"))[2]
    assert words.startswith("Invalid value for <Filter>: a & b \ufffd")


def test_a_new_error_is_shown_as_its_parent():
    """Until it gets a code of its own."""
    class Odd(errors.InvalidValue):
        """An error defined elsewhere."""
    assert parsed(Odd("a", "b"))[1] == "InvalidParameterValue"
