"""Whatever is sent to EC2 and STS, the answer is good or a refusal in AWS' own words."""

import base64
import hashlib
import hmac
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import ListShape, Shape, StructureShape

from stackd.api.ec2 import model
from stackd.api.ec2.dispatch import EC2, STS
from tests.cloud.running import Running
from tests.fuzz.people import Belongings, Person
from tests.fuzz.wire import Answer, Wire, raw

MODELS = {"ec2": model.load("ec2", frozenset(EC2)), "sts": model.load("sts", frozenset(STS))}
ACTIONS = tuple((service, name) for service, actions in (("ec2", EC2), ("sts", STS)) for name in actions)
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TEXTS = (
    "", " ", "\0", "a\0b", "\U0001f4a9\u202e", "x" * 300, "x" * 70_000, "../../etc", "-rf", "%00", "<a>&amp;]]>", "1",
    "-1", "0", "9" * 30, "9" * 5000, "1.5", "NaN", "true", "maybe", "\u0661", "i-", "i-0", "i-" + "g" * 17,
    "i-0123456789abcdef0", "ami-0123456789abcdef0", "sg-12345678", "vpc-0123456789abcdef0", "10.0.0.0/8", "::/0",
    "0.0.0.0/0", "999.1.1.1", "tcp", "all", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "default", "t2.nano",
    "us-east-1a", "*", "?" * 50, "a\\", "\\*", "*a" * 60, "tag:x", "instance-state-name", "key\r\nX: 1", "AAAA")


@pytest.fixture(scope="module")
def wire(cloud: Running) -> Wire:
    """A connection to EC2."""
    return Wire(cloud.base)


def signed(wire: Wire, person: Person, service: str, pairs: list[tuple[str, str]], **headers: Any) -> Answer:
    """Send a form that the person's key signed."""
    body = urlencode(pairs).encode()
    request = AWSRequest("POST", f"http://127.0.0.1:{wire.port}/", data=body, headers={"Content-Type": FORM})
    SigV4Auth(Credentials(person.key["access"], person.key["secret"]), service, "us-east-1").add_auth(request)
    return wire.send("POST", "/", "", body, {**dict(request.headers.items()), **headers})


def check(answer: Answer, what: Any) -> str:
    """Fail unless it is XML, good or a refusal with a code and words; the code."""
    where = f"{str(what)[:300]} -> {answer.status} {answer.body[:500]!r}"
    assert answer.status < 500, where
    assert answer.headers["content-type"].startswith("text/xml"), where
    root = ET.fromstring(answer.body)
    if answer.status < 300:
        return ""
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}
    assert found["Code"] and found["Message"], where
    assert found["Code"] != "InternalError", where
    assert len(answer.body) < 4096, where
    return found["Code"]


def parameters(shape: Shape | None, random: Random, ids: tuple[str, ...], service: str) -> list[tuple[str, str]]:
    """Some parameters of an action with values of the right kind, or not."""
    found: list[tuple[str, str]] = []
    if isinstance(shape, StructureShape):
        _gather(shape, "", random, ids, found, 0, service)
    return found


def _gather(shape: Shape, where: str, random: Random, ids: tuple[str, ...], found: list[tuple[str, str]], depth: int,
            service: str) -> None:
    if isinstance(shape, StructureShape) and depth < 5:
        for name, member in shape.members.items():
            if name in shape.required_members or random.random() < (0.4 if depth else 0.3):
                word = member.serialization.get("queryName") or member.serialization.get("name", name)
                word = word[0].upper() + word[1:] if service == "ec2" else word
                _gather(member, f"{where}.{word}" if where else word, random, ids, found, depth + 1, service)
    elif isinstance(shape, ListShape) and depth < 6:
        for place in range(1, random.choice((2, 2, 3, 4))):
            _gather(shape.member, f"{where}.{place}", random, ids, found, depth + 1, service)
    else:
        found.append((where, random.choice((random.choice(ids), random.choice(TEXTS), _fitting(shape, random)))))


def _fitting(shape: Shape, random: Random) -> str:
    enum = getattr(shape, "enum", None)
    if enum:
        return str(random.choice(enum))
    return {"integer": "1", "long": "5", "boolean": "false", "timestamp": "2026-01-01T00:00:00Z",
            "blob": "QUJD"}.get(shape.type_name, "default")


def bent(pairs: list[tuple[str, str]], random: Random) -> list[tuple[str, str]]:
    """The same with one name made wrong."""
    if not pairs:
        return [(random.choice(TEXTS) or "x", "1")]
    place = random.randrange(len(pairs))
    name, value = pairs[place]
    wrong = random.choice((f"{name}.1", f"{name}.x", f"{name}.0", f"{name}.99999999999", f"{name}..", name + ".1" * 40,
                           name.lower(), "", ".", "\0", "Filter.1.Name.2", name))
    return [*pairs, (wrong, value)]


@pytest.fixture(scope="module")
def ids(attacker: Person, own: Belongings, victim: Belongings) -> tuple[str, ...]:
    """What may stand where an id is asked for: own ones, foreign ones, ones of other kinds."""
    prefixes = {"server": "i", "image": "ami", "network": "vpc", "subnet": "subnet", "port": "eni", "group": "sg",
                "rule": "sgr", "floating": "eipalloc"}
    short = tuple(f"{prefix}-{things[kind].replace('-', '')[:17]}" for things in (own, victim)
                  for kind, prefix in prefixes.items())
    return (*short, own["key"], own["address"], victim["address"])


@pytest.mark.parametrize(("service", "name"), ACTIONS)
def test_an_action(service: str, name: str, wire: Wire, attacker: Person, ids: tuple[str, ...]) -> None:
    """Junk in its parameters, their names and their nesting."""
    random = Random(name)
    described = MODELS[service]
    for turn in range(30):
        pairs = parameters(described.operations[name].input_shape, random, ids, service)
        pairs = pairs if turn < 20 else bent(pairs, random)
        sent = [("Action", name), ("Version", described.api_version), *pairs]
        check(signed(wire, attacker, service, sent), sent)


@pytest.mark.parametrize("name", ["", "Nothing", "DescribeSpotPriceHistory", "RunInstances\0", "x" * 5000])
@pytest.mark.parametrize("version", ["2016-11-15", "2008-12-01", "2099-01-01", "", "x", "\0"])
def test_actions_and_versions_nobody_has(name: str, version: str, wire: Wire, attacker: Person) -> None:
    """Each is told apart."""
    code = check(signed(wire, attacker, "ec2", [("Action", name), ("Version", version)]), (name, version))
    assert code in {"InvalidAction", "UnsupportedOperation", "NoSuchVersion", "MissingParameter"}


def _headers(attacker: Person) -> dict[str, str]:
    request = AWSRequest("POST", "http://127.0.0.1/", data=b"", headers={"Content-Type": FORM})
    SigV4Auth(Credentials(attacker.key["access"], attacker.key["secret"]), "ec2", "us-east-1").add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize("bend", [
    lambda text: text[:-1] + "x", lambda text: text.replace("us-east-1", "mars"), lambda text: text[:30],
    lambda text: text.replace("AKIA", "AKIB"), lambda text: text.replace("SignedHeaders=", "SignedHeaders=no;"),
    lambda text: text.replace("/ec2/", "/s3/"), lambda text: "AWS4-HMAC-SHA256", lambda text: "AWS4-HMAC-SHA256 ,,,==",
    lambda text: "Basic YTpi", lambda text: text.replace("Signature=", "Signature=\xff"),
    lambda text: text + "x" * 7000,
    lambda text: text.replace("/20", "/19"), lambda text: "",
    lambda text: text.replace("Credential=", "Credential=////"),
])
def test_wrong_signatures(bend: Any, wire: Wire, attacker: Person) -> None:
    """Of every kind are refused as such, and nothing is told."""
    headers = _headers(attacker)
    headers["Authorization"] = bend(headers["Authorization"])
    answer = wire.send("POST", "/", "", b"Action=DescribeVpcs&Version=2016-11-15", headers)
    assert check(answer, headers["Authorization"]) in {
        "SignatureDoesNotMatch", "AuthFailure", "MissingParameter", "InvalidParameterValue"}
    assert attacker.key["secret"].encode() not in answer.body


@pytest.mark.parametrize("fields", [
    {"X-Amz-Expires": "000000001" + "9" * 5000}, {"X-Amz-Expires": "0000000019999999"}, {"X-Amz-Expires": "-1"},
    {"X-Amz-Expires": "\u0661"}, {"X-Amz-Expires": ""}, {"X-Amz-Date": "x"}, {"X-Amz-Date": "99991231T235959Z"},
    {"X-Amz-Date": "00010101T000000Z"}, {"X-Amz-Credential": "a"}, {"X-Amz-SignedHeaders": ";;"},
    {"X-Amz-Algorithm": ""},
    {"X-Amz-Signature": "\0"}])
def test_presigned_addresses(fields: dict[str, str], wire: Wire, attacker: Person) -> None:
    """One field of them wrong."""
    now = datetime.now(UTC)
    good = {"Action": "DescribeVpcs", "Version": "2016-11-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{attacker.key['access']}/{now:%Y%m%d}/us-east-1/ec2/aws4_request",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}", "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0" * 64}
    answer = wire.send("GET", "/?" + urlencode({**good, **fields}))
    assert check(answer, fields)


def old_fields(person: Person, moment: datetime) -> dict[str, str]:
    """What is signed by the second version."""
    return {"Action": "DescribeVpcs", "Version": "2016-11-15", "SignatureVersion": "2",
            "SignatureMethod": "HmacSHA256", "AWSAccessKeyId": person.key["access"],
            "Timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


@pytest.mark.parametrize("change", [
    {"SignatureMethod": "HmacMD5"}, {"SignatureVersion": "1"}, {"Timestamp": "x"}, {"Timestamp": ""},
    {"Signature": "x"},
    {"Signature": "\u00e9"}, {"AWSAccessKeyId": "\0"}, {"Expires": "2099-01-01T00:00:00Z"},
    {"Timestamp": "0001-01-01T00:00:00Z"}])
def test_the_old_signature(change: dict[str, str], wire: Wire, attacker: Person) -> None:
    """Version 2 of it, with one field wrong."""
    fields = {**old_fields(attacker, datetime.now(UTC)), **change}
    assert check(wire.send("GET", "/?" + urlencode({"Signature": "x", **fields})), change)


def test_an_old_request_is_not_taken_again(wire: Wire, attacker: Person) -> None:
    """Signed well, but an hour ago."""
    fields = old_fields(attacker, datetime.now(UTC) - timedelta(hours=1))
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(fields.items()))
    text = f"GET\n127.0.0.1:{wire.port}\n/\n{query}".encode()
    signature = base64.b64encode(hmac.new(attacker.key["secret"].encode(), text, hashlib.sha256).digest()).decode()
    answer = wire.send("GET", f"/?{query}&Signature={quote(signature, safe='')}")
    assert check(answer, "old") == "RequestExpired"


@pytest.mark.parametrize("body", [
    b"", b"&&&&", b"\xff\xfe", b"Action=%ff", b"Action", b"=", b"a=1&" * 20_000, b"x" * (2 << 20), b"{}", b"<xml/>",
    b"Action=DescribeVpcs&Action=RunInstances&Version=2016-11-15", b"Filter.1.Name=x&Filter.1=y"])
@pytest.mark.parametrize("media", [FORM, "application/json", "multipart/form-data", "text/plain", ""])
def test_bodies_of_no_form(body: bytes, media: str, wire: Wire, attacker: Person) -> None:
    """Unsigned, they are refused in XML."""
    answer = wire.send("POST", "/", "", body, {"Content-Type": media})
    assert check(answer, body[:50])
    wire.close()


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"])
@pytest.mark.parametrize("path", ["/", "/nothing", "/%00", "/%ff", "/latest/meta-data", "//", "/services/Cloud/"])
def test_methods_and_paths(method: str, path: str, wire: Wire) -> None:
    """There are two methods, and any path."""
    answer = wire.send(method, path)
    assert answer.status == 405
    assert answer.headers["content-type"].startswith("text/xml")


@pytest.mark.parametrize("sent", [
    b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 9" + b"9" * 30 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 3000,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"])
@pytest.mark.parametrize("beside", [0, 1, 2])
def test_bytes_that_are_hardly_http(sent: bytes, beside: int, cloud: Running) -> None:
    """On each of the ports: no traceback comes back, and the next request is answered."""
    assert b"Traceback" not in raw(cloud.base + beside, sent)
    assert Wire(cloud.base + beside).send("GET", "/").status < 500
