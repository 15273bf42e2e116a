"""The web resource: which action of which service, and clean XML whatever happens."""

import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import botocore.auth
import pytest
import pytest_twisted
import treq
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from twisted.internet import reactor
from twisted.web.server import Site

from stackd.api.ec2.dispatch import EC2
from tests.api.ec2.bench import REGION, code_of, refused

MUTATORS = {name: action for name, action in EC2.items() if action.role == "member"}


def signed(bench, form, service="ec2", method="POST", who="member"):
    """Status and XML of one signed request with these very parameters."""
    body = urlencode(form).encode() if method == "POST" else b""
    url = "http://cloud.test/" + ("" if method == "POST" else "?" + urlencode(form))
    request = AWSRequest(method=method, url=url, data=body,
                         headers={"Content-Type": "application/x-www-form-urlencoded", "Host": "cloud.test"})
    botocore.auth.SigV4Auth(Credentials(who, who * 2), service, REGION).add_auth(request)
    status, answer = bench.raw(method, url.removeprefix("http://cloud.test"), dict(request.headers.items()), body)
    return status, ElementTree.fromstring(answer)


def code(answer):
    """The code in an error's XML, whatever its namespace."""
    return next(element.text for element in answer.iter() if element.tag.rpartition("}")[2] == "Code")


def form(action, version="2016-11-15", **parameters):
    """Parameters as they are sent."""
    return {"Action": action, "Version": version, **parameters}


@pytest.mark.parametrize("parameters, expected", [
    (form("LaunchRocket"), "InvalidAction"), (form(""), "MissingParameter"), ({}, "MissingParameter"),
    (form("CreateVolume"), "UnsupportedOperation"), (form("CreateVpc", CidrBlock="x"), "UnsupportedOperation"),
    (form("DescribeRegions", version="2099-01-01"), "NoSuchVersion"),
    (form("DescribeRegions", version=""), "NoSuchVersion"),
    (form("DescribeRegions", Nonsense="1"), "UnknownParameter"),
    (form("DescribeInstances", MaxResults="many"), "InvalidParameterValue"),
    (form("DescribeInstances", **{"Filter.1.Value.1": "x"}), "MissingParameter"),
    (form("RunInstances", MinCount="1"), "MissingParameter"),
    (form("RunInstances", MinCount="1", MaxCount="1", UserData="%%%"), "MissingParameter"),
])
def test_what_cannot_be_understood(bench, parameters, expected):
    """A clean error, always 400."""
    status, answer = signed(bench, parameters)
    assert (status, code(answer)) == (400, expected)
    assert next(answer.iter("RequestID")).text.startswith("req-")


def test_get_and_older_versions_are_fine(bench):
    """As euca2ools and libcloud send them."""
    for method in ("GET", "POST"):
        status, answer = signed(bench, form("DescribeRegions", version="2013-02-01"), method=method)
        assert status == 200 and answer.tag == "{http://ec2.amazonaws.com/doc/2016-11-15/}DescribeRegionsResponse"
    assert signed(bench, form("DescribeRegions"), method="PUT")[0] == 405


def test_errors_of_sts_have_its_own_form(bench):
    """Wrapped in ErrorResponse."""
    status, answer = signed(bench, form("AssumeRole", version="2011-06-15"), service="sts")
    assert status == 400 and answer.tag.endswith("}ErrorResponse") and code(answer) == "UnsupportedOperation"
    status, answer = signed(bench, form("GetCallerIdentity", version="2011-06-15"), service="sts", who="nobody")
    assert status == 403 and code(answer) == "InvalidClientTokenId"


def test_who_cannot_be_believed(bench):
    """Wrong secret, unknown key, another region, no signature."""
    assert refused(bench.client(secret="wrong").describe_regions) == "SignatureDoesNotMatch"
    assert refused(bench.client(who="nobody").describe_regions) == "AuthFailure"
    assert refused(bench.client(region="mars-1").describe_regions) == "SignatureDoesNotMatch"
    status, body = bench.raw("GET", "/?Action=DescribeRegions&Version=2016-11-15", {"Host": "cloud.test"})
    assert status == 401 and b"<Code>AuthFailure</Code>" in body
    status, body = bench.raw("POST", "/", {"Host": "x", "Content-Type": "application/x-www-form-urlencoded"}, b"%ff")
    assert status == 400 and b"MalformedQueryString" in body


def test_an_old_signature(bench, ec2, monkeypatch):
    """The clock of the client is wrong."""
    monkeypatch.undo()
    assert refused(ec2.describe_regions) == "RequestExpired"


def test_a_defect_is_told_by_its_request_id_alone(bench, ec2, lost_failures, monkeypatch):
    """The traceback is in the log, not in the answer."""
    async def broken(caller):
        raise ZeroDivisionError("secret detail")
    monkeypatch.setattr(bench.cloud.core.zones, "list", broken)
    with pytest.raises(Exception) as caught:
        ec2.describe_availability_zones()
    assert code_of(caught) == "InternalError"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    assert request_id in str(caught.value) and "secret" not in str(caught.value)
    [event] = lost_failures
    assert event["request_id"] == request_id
    lost_failures.clear()


@pytest.mark.parametrize("name", sorted(name for name, action in MUTATORS.items() if not action.rehearses))
def test_dry_runs_ask_for_permission_alone(bench, name):
    """Every action that changes something: 412 for a member, 403 for a reader, and nothing is done."""
    least = {"ImportKeyPair": {"KeyName": "k", "PublicKeyMaterial": "eA=="}, "CreateKeyPair": {"KeyName": "k"},
             "CreateSecurityGroup": {"GroupName": "g", "GroupDescription": "d"},
             "GetConsoleOutput": {"InstanceId": "i"}, "CreateTags": {"ResourceId.1": "x", "Tag.1.Key": "a"},
             "DeleteTags": {"ResourceId.1": "x"},
             "AuthorizeSecurityGroupEgress": {"GroupId": "x"}, "RevokeSecurityGroupEgress": {"GroupId": "x"}}
    asked = form(name, DryRun="true", **least.get(name, {}))
    assert [signed(bench, asked)[0], code(signed(bench, asked)[1])] == [412, "DryRunOperation"]
    status, answer = signed(bench, asked, who="reader")
    assert (status, code(answer)) == (403, "UnauthorizedOperation")


def test_a_reader_reads_and_changes_nothing(bench):
    """The role decides."""
    reader = bench.client(who="reader")
    assert reader.describe_instances()["Reservations"] == []
    assert refused(reader.create_key_pair, KeyName="k") == "UnauthorizedOperation"
    assert refused(reader.allocate_address) == "UnauthorizedOperation"


@pytest_twisted.ensureDeferred
async def test_over_a_real_connection(bench):
    """The resource behind Twisted's web server, asked by an HTTP client."""
    port = reactor.listenTCP(0, Site(bench.api), interface="127.0.0.1")
    try:
        url = f"http://127.0.0.1:{port.getHost().port}/"
        request = AWSRequest(method="POST", url=url, data=urlencode(form("DescribeRegions")).encode(),
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
        botocore.auth.SigV4Auth(Credentials("member", "member" * 2), "ec2", REGION).add_auth(request)
        answer = await treq.post(url, request.data, headers=dict(request.headers.items()), persistent=False)
        body = await answer.content()
        assert answer.code == 200 and b"<regionName>us-east-1</regionName>" in body
        assert answer.headers.getRawHeaders("x-amzn-requestid")[0].encode() in body
        wrong = await treq.get(url, persistent=False)
        assert wrong.code == 401 and b"AuthFailure" in await wrong.content()
    finally:
        await port.stopListening()
