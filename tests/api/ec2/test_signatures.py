"""Requests signed by botocore's own signers are verified; everything tampered with, late or foreign is refused."""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha1
from hmac import new as hmac_new
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.auth
import pytest
import pytest_twisted
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stackd import errors
from stackd.api.ec2 import requests, sigv4
from stackd.api.ec2.authentication import authenticate
from stackd.model.callers import Caller
from stackd.model.identities import AccessKey

KEY = AccessKey(access="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", user_id="u", project_id="p")
CREDENTIALS = Credentials(KEY.access, KEY.secret)
URL = "http://cloud.example:8773/"
FORM = {"Action": "DescribeInstances", "Version": "2016-11-15", "Filter.1.Name": "tag:Name of it",
        "Filter.1.Value.1": "ä+b&c=d/~*"}


class Keyring:
    """An identity that knows one key."""

    async def access_key(self, access):
        """The key."""
        if access != KEY.access:
            raise errors.UnknownAccessKey("The access key does not exist.")
        return KEY

    async def caller_of_key(self, key, request_id):
        """Its owner."""
        return Caller(user_id=key.user_id, user_name="me", project_id=key.project_id, project_name="mine",
                      roles=frozenset({"member"}), request_id=request_id)


def received(aws_request, method="POST", body=b""):
    """What the server sees of a request botocore signed."""
    prepared = aws_request.prepare()
    parts = urlsplit(prepared.url)
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
    headers.setdefault("Host", parts.netloc)
    uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return requests.make(method, uri, headers, body)


def signed(form=FORM, service="ec2", region="us-east-1", credentials=CREDENTIALS, headers=None):
    """A POST as boto3 sends it."""
    body = urlencode(form).encode()
    request = AWSRequest(method="POST", url=URL, data=body, headers=headers or {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "X-Note": "two  spaces "})
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    return received(request, body=body)


def presigned(expires=60):
    """A GET as presigned URLs are."""
    request = AWSRequest(method="GET", url=URL + "?" + urlencode(FORM))
    botocore.auth.SigV4QueryAuth(CREDENTIALS, "ec2", "us-east-1", expires=expires).add_auth(request)
    return received(request, method="GET")


def signed_v2(method="POST"):
    """A request as botocore signed it in the days of version 2."""
    place = {"params": dict(FORM)} if method == "GET" else {"data": dict(FORM)}
    request = AWSRequest(method=method, url=URL, **place,
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
    botocore.auth.SigV2Auth(CREDENTIALS).add_auth(request)
    if method == "GET":
        return requests.make("GET", "/?" + urlencode(request.params), {"Host": "cloud.example:8773"}, b"")
    return requests.make("POST", "/", {"Host": "cloud.example:8773", **request.headers},
                         urlencode(request.data).encode())


def now():
    """Epoch seconds of the clock botocore signs by."""
    return datetime.now(UTC).timestamp()


async def verify(request, at=None, service="ec2", region="us-east-1"):
    """The caller of a request."""
    return await authenticate(request, Keyring(), region, service, at or now(), "req-1")


@pytest.mark.parametrize("make", [signed, presigned, signed_v2, lambda: signed_v2("GET"),
                                  lambda: signed({"Action": "X"})])
@pytest_twisted.ensureDeferred
async def test_what_botocore_signs_is_believed(make):
    """Header, query and the old version 2."""
    assert (await verify(make())).project_id == "p"


@pytest_twisted.ensureDeferred
async def test_version_2_with_sha1():
    """HmacSHA1, as very old clients sign; the text is made by hand because no current client does."""
    fields = {"Action": "DescribeRegions", "AWSAccessKeyId": KEY.access, "SignatureVersion": "2",
              "SignatureMethod": "HmacSHA1", "Timestamp": "2026-01-31T00:00:00Z"}
    text = "GET\ncloud.example\n/\n" + "&".join(f"{k}={v.replace(':', '%3A')}" for k, v in sorted(fields.items()))
    signature = b64encode(hmac_new(KEY.secret.encode(), text.encode(), sha1).digest()).decode()
    request = requests.make("GET", "/?" + urlencode({**fields, "Signature": signature}), {"Host": "Cloud.Example"}, b"")
    at = datetime(2026, 1, 31, 0, 10, tzinfo=UTC).timestamp()
    assert (await verify(request, at)).user_id == "u"
    with pytest.raises(errors.RequestExpired):
        await verify(request, at + 600)


def tampered(request, **changes):
    """The same request with other parts."""
    parts = {"method": request.method, "uri": request.path + (f"?{request.query_string}" if request.query_string
                                                              else ""),
             "headers": dict(request.headers), "body": request.body, **changes}
    return requests.make(**parts)


@pytest.mark.parametrize("make, changes", [
    (signed, {"body": urlencode({**FORM, "Action": "TerminateInstances"}).encode()}),
    (signed, {"method": "GET"}),
    (signed, {"uri": "/?DryRun=true"}),
    (signed, {"uri": "/other"}),
    (signed_v2, {"method": "PUT"}),
    (presigned, {"body": b"more"}),
])
@pytest_twisted.ensureDeferred
async def test_a_tampered_request_is_refused(make, changes):
    """Method, path, query and body are all covered."""
    with pytest.raises(errors.SignatureMismatch):
        await verify(tampered(make(), **changes))


@pytest.mark.parametrize("name, value", [("host", "elsewhere"), ("x-note", "three spaces"),
                                         ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x, "
                                          "SignedHeaders=host;x-amz-date, Signature=00")])
@pytest_twisted.ensureDeferred
async def test_a_tampered_header_is_refused(name, value):
    """Signed headers cannot be changed, nor the signature be made up."""
    request = signed()
    with pytest.raises(errors.SignatureMismatch):
        await verify(tampered(request, headers={**request.headers, name: value}))


@pytest_twisted.ensureDeferred
async def test_host_and_date_must_be_signed():
    """An attacker cannot leave them out of the signature."""
    request = signed()
    header = request.headers["authorization"].replace("host;", "")
    with pytest.raises(errors.SignatureMismatch, match="host"):
        await verify(tampered(request, headers={**request.headers, "authorization": header}))


@pytest.mark.parametrize("shift, expected", [(-16 * 60, errors.RequestExpired), (16 * 60, errors.RequestExpired),
                                             (-14 * 60, None), (14 * 60, None)])
@pytest_twisted.ensureDeferred
async def test_the_clock_may_be_off_by_a_quarter_of_an_hour(shift, expected):
    """Either way."""
    if expected is None:
        assert await verify(signed(), now() + shift)
    else:
        with pytest.raises(expected):
            await verify(signed(), now() + shift)


@pytest_twisted.ensureDeferred
async def test_a_presigned_url_lives_as_long_as_it_says():
    """X-Amz-Expires, up to a week."""
    assert await verify(presigned(expires=3600), now() + 3500)
    with pytest.raises(errors.RequestExpired):
        await verify(presigned(expires=3600), now() + 3700)
    with pytest.raises(errors.InvalidValue, match="X-Amz-Expires"):
        await verify(presigned(expires=10 ** 9))


@pytest.mark.parametrize("make, service, words", [
    (lambda: signed(region="mars-1"), "ec2", "region us-east-1"),
    (lambda: signed(service="sts"), "ec2", "service ec2"),
    (lambda: signed(service="s3"), "ec2", "s3"),
    (lambda: signed(credentials=Credentials(KEY.access, "other")), "ec2", "does not match"),
])
@pytest_twisted.ensureDeferred
async def test_the_credential_must_fit(make, service, words):
    """Its service, region and secret."""
    with pytest.raises(errors.SignatureMismatch, match=words):
        await verify(make(), service=service)


@pytest_twisted.ensureDeferred
async def test_sts_may_be_signed_for_its_global_region():
    """Clients sign for us-east-1 whatever the cloud's region."""
    assert await verify(signed(service="sts"), service="sts", region="home-1")


@pytest_twisted.ensureDeferred
async def test_an_unknown_key_and_no_signature_at_all():
    """Both are told apart from a wrong signature."""
    with pytest.raises(errors.UnknownAccessKey):
        await verify(signed(credentials=Credentials("nobody", "secret")))
    with pytest.raises(errors.NotAuthenticated, match="not signed"):
        await verify(requests.make("GET", "/?Action=DescribeRegions", {"Host": "x"}, b""))


@pytest.mark.parametrize("uri, headers, words", [
    ("/?Signature=x", {}, "AWSAccessKeyId"),
    ("/?AWSAccessKeyId=x&Signature=x&SignatureVersion=1", {}, "SignatureVersion"),
    ("/?AWSAccessKeyId=x&Signature=x&SignatureVersion=2&SignatureMethod=MD5", {}, "SignatureMethod"),
    ("/?AWSAccessKeyId=x&Signature=x&SignatureVersion=2&SignatureMethod=HmacSHA1", {}, "Timestamp"),
    ("/?AWSAccessKeyId=x&Signature=x&SignatureVersion=2&SignatureMethod=HmacSHA1&Timestamp=now", {}, "timestamp"),
    ("/?X-Amz-Signature=x", {}, "X-Amz-Credential"),
    ("/", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, "Signature"),
    ("/", {"Authorization": "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y, Signature=z"}, "X-Amz-Date"),
    ("/", {"Authorization": "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y, Signature=z", "X-Amz-Date": "now"},
     "timestamp"),
])
@pytest_twisted.ensureDeferred
async def test_half_a_signature_names_what_is_missing(uri, headers, words):
    """A clean error, never a defect."""
    with pytest.raises((errors.BadRequest, errors.NotAuthenticated), match=words):
        await verify(requests.make("GET", uri, {"Host": "x", **headers}, b""))


@pytest.mark.parametrize("method, uri, body", [("POST", "/", b"a=%ff"), ("POST", "/", b"\xff\xfe"),
                                               ("GET", "/?a=%ff", b""), ("POST", "/", b"a=1&" * 10_001)])
def test_garbage_is_malformed(method, uri, body):
    """Parameters that are not text, or far too many."""
    with pytest.raises(errors.Malformed):
        requests.make(method, uri, {"Content-Type": "application/x-www-form-urlencoded"}, body)


def test_a_parameter_given_twice_is_refused():
    """Which one was meant cannot be known."""
    with pytest.raises(errors.InvalidValue, match="more than once"):
        requests.make("GET", "/?A=1&A=2", {}, b"").parameters()


def test_signing_keys_are_kept_for_the_day():
    """The four rounds of HMAC are made once a day and key."""
    sigv4.signing_key.cache_clear()
    for _ in range(3):
        sigv4.signing_key("secret", "20260131", "us-east-1", "ec2")
    assert sigv4.signing_key.cache_info().misses == 1


def test_signing_fields_are_no_parameters():
    """What signs is not shown to the action."""
    assert presigned().parameters() == {name: value for name, value in FORM.items()
                                        if name not in ("Action", "Version")}
    assert dict(parse_qsl(urlencode(FORM))) == FORM
