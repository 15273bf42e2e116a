"""The metadata service over HTTP: paths, tokens, errors, user data; and the signed port with the same answers."""

import pytest
import pytest_twisted
from treq.testing import StubTreq
from twisted.internet.task import Clock

from stackd import errors
from stackd.api.metadata.signed import SignedInstances, signature
from stackd.model.assignments import InstanceAssignment
from stackd.workers.metadata import tokens
from stackd.workers.metadata.web import MetadataResource, by_source
from tests.workers.metadata.samples import NETWORK, plain, rich

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
BASE = "http://169.254.169.254"
PEER = "127.0.0.1"  # where requests of the in-memory client come from


class Bench:
    """A host with one guest."""

    def __init__(self, guest: InstanceAssignment | None) -> None:
        self.clock = Clock()
        self.guest = guest
        self.broken = False
        self.client = StubTreq(self.resource(by_source(self.lookup, NETWORK)))

    def resource(self, find: object) -> MetadataResource:
        """The service with a finder."""
        return MetadataResource(find=find, user_data=self.user_data, region="us-east-1",  # type: ignore[arg-type]
                                secret=b"s", clock=self.clock, randomness=bytes)

    def lookup(self, network_id: str, address: str) -> InstanceAssignment | None:
        """The guest, at its address on its network only."""
        return self.guest if (network_id, address) == (NETWORK, PEER) else None

    async def user_data(self, instance_id: str) -> bytes:
        """What the control plane answers."""
        if self.broken:
            raise errors.CallTimedOut("no answer")
        return b"#!/bin/sh\x00\xff" + instance_id.encode()[:2]

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and body."""
        answer = await self.client.request(method, BASE + path, headers=headers)
        self.client.flush()
        return answer.code, (await answer.content()).decode("latin-1")


@pytest.fixture
def bench() -> Bench:
    """A host with the rich guest."""
    return Bench(rich())


@pytest.mark.parametrize(("path", "status", "body"), [
    ("/latest", 200, "dynamic/\nmeta-data/\nuser-data"),
    ("/latest/", 200, "dynamic/\nmeta-data/\nuser-data"),
    ("/2009-04-04/meta-data/instance-id", 200, "i-ddddddddddddddddd"),
    ("/2021-03-23/meta-data/public-keys/", 200, "0=mine"),
    ("/latest/meta-data/mpi/", 200, ""),
    ("/latest/user-data", 200, "#!/bin/sh\x00\xffdd"),
    ("/openstack/latest/user_data", 200, "#!/bin/sh\x00\xffdd"),
    ("/openstack/2018-08-27/vendor_data.json", 200, "{}"),
    ("/1999-01-01/meta-data/", 404, None),
    ("/openstack/1999-01-01/meta_data.json", 404, None),
    ("/latest/meta-data/nothing", 404, None),
    ("/latest/meta-data/%2e%2e/user-data", 404, None),
])
@pytest_twisted.ensureDeferred
async def test_paths(bench: Bench, path: str, status: int, body: str | None) -> None:
    """What stands where."""
    got = await bench.ask(path)
    assert got[0] == status
    assert body is None or got[1] == body


@pytest_twisted.ensureDeferred
async def test_versions(bench: Bench) -> None:
    """The root lists EC2's versions, ``/openstack`` its own."""
    assert "2009-04-04\n" in (await bench.ask("/"))[1]
    assert (await bench.ask("/openstack"))[1].split("\n")[0] == "2012-08-10/"


@pytest_twisted.ensureDeferred
async def test_strangers(bench: Bench) -> None:
    """An address that no guest of the network has is answered 404."""
    bench.guest = None
    assert (await bench.ask("/latest/meta-data/"))[0] == 404
    assert (await bench.ask("/latest/api/token", "PUT", **{TTL: "60"}))[0] == 404


@pytest_twisted.ensureDeferred
async def test_no_user_data() -> None:
    """A guest without user data is told so."""
    assert (await Bench(plain()).ask("/latest/user-data"))[0] == 404


@pytest_twisted.ensureDeferred
async def test_control_plane_away(bench: Bench) -> None:
    """User data has to wait for the control plane; everything else is there."""
    bench.broken = True
    assert (await bench.ask("/latest/user-data"))[0] == 503
    assert (await bench.ask("/latest/meta-data/instance-id"))[0] == 200


@pytest_twisted.ensureDeferred
async def test_tokens(bench: Bench) -> None:
    """A token is good until it expires, and only for its instance; requests without one are served too."""
    status, token = await bench.ask("/latest/api/token", "PUT", **{TTL: "60"})
    assert status == 200
    assert (await bench.ask("/latest/meta-data/instance-id", **{TOKEN: token}))[0] == 200
    assert (await bench.ask("/latest/meta-data/instance-id", **{TOKEN: "x" + token}))[0] == 401
    assert (await bench.ask("/latest/meta-data/instance-id", **{TOKEN: "\xff"}))[0] == 401
    other = tokens.issue(b"s", "0" * 32, 60)
    assert (await bench.ask("/latest/meta-data/instance-id", **{TOKEN: other}))[0] == 401
    bench.clock.advance(60)
    assert (await bench.ask("/latest/meta-data/instance-id", **{TOKEN: token}))[0] == 401


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/latest/api/token", {}, 400),
    ("/latest/api/token", {TTL: "0"}, 400),
    ("/latest/api/token", {TTL: "21601"}, 400),
    ("/latest/api/token", {TTL: "soon"}, 400),
    ("/latest/api/token", {TTL: "21600"}, 200),
    ("/latest/api/token", {TTL: "60", "X-Forwarded-For": "10.0.0.9"}, 403),
    ("/latest/meta-data", {TTL: "60"}, 405),
])
@pytest_twisted.ensureDeferred
async def test_asking_for_tokens(bench: Bench, path: str, headers: dict[str, str], status: int) -> None:
    """The life must be 1 s to 6 h, and the request must come from the guest itself."""
    assert (await bench.ask(path, "PUT", **headers))[0] == status


@pytest.mark.parametrize(("headers", "status"), [
    ({"X-Instance-ID": "d" * 32, "X-Instance-ID-Signature": signature(b"k", "d" * 32)}, 200),
    ({"X-Instance-ID": "d" * 32, "X-Instance-ID-Signature": signature(b"k", "d" * 32), "X-Tenant-ID": "a" * 32}, 200),
    ({"X-Instance-ID": "d" * 32, "X-Instance-ID-Signature": signature(b"k", "d" * 32), "X-Tenant-ID": "0" * 32}, 404),
    ({"X-Instance-ID": "e" * 32, "X-Instance-ID-Signature": signature(b"k", "e" * 32)}, 404),
    ({"X-Instance-ID": "not an id", "X-Instance-ID-Signature": signature(b"k", "not an id")}, 404),
    ({"X-Instance-ID": "d" * 32, "X-Instance-ID-Signature": signature(b"wrong", "d" * 32)}, 403),
    ({"X-Instance-ID": "d" * 32, "X-Instance-ID-Signature": "é"}, 403),
    ({"X-Instance-ID": "d" * 32}, 400),
    ({}, 400),
])
@pytest_twisted.ensureDeferred
async def test_signed_port(bench: Bench, headers: dict[str, str], status: int) -> None:
    """Who is named by a proxy with the secret gets the same tree; nobody else gets anything."""
    async def show(id: str) -> InstanceAssignment | None:
        return bench.guest if id == "d" * 32 else None

    bench.client = StubTreq(bench.resource(SignedInstances(b"k", show).find))
    code, body = await bench.ask("/latest/meta-data/instance-id", **headers)
    assert code == status
    assert (body == "i-ddddddddddddddddd") is (status == 200)
