"""Bytes over HTTP: streamed in and out, in parts, refused early, broken off; on connections that go on after it."""

import hashlib
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from stackd import errors
from stackd.api.openstack.streaming import HELD

awaiting = pytest_twisted.ensureDeferred
OCTETS = "Content-Type: application/octet-stream"


class Wire(Protocol):
    """A connection on which a test says every byte itself."""

    def __init__(self) -> None:
        self.received = b""
        self.closed: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


async def dial(api: Any) -> Wire:
    return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", api.port), Wire())


def put(image: dict[str, Any], *headers: str, token: str = "alice") -> bytes:
    lines = [f"PUT /image{image['file']} HTTP/1.1", "Host: x", f"X-Auth-Token: {token}", OCTETS, *headers, "", ""]
    return "\r\n".join(lines).encode()


@awaiting
async def test_upload_and_download(api: Any) -> None:
    image, content = await api.create(), bytes(range(256)) * 40_000
    assert await api.upload(image, content) == (204, b"")
    shown = (await api.ask("GET", image["self"]))[1]
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(content), len(content))
    assert shown["checksum"] == hashlib.md5(content).hexdigest()
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(content).hexdigest())
    status, got, headers = await api.ask("GET", image["file"])
    assert (status, got == content) == (200, True)
    assert headers.getRawHeaders("content-md5") == [shown["checksum"]]
    assert headers.getRawHeaders("content-type") == ["application/octet-stream"]


@pytest.mark.parametrize(("wanted", "status", "part", "told"), [
    ("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=7-", 206, b"789", "bytes 7-9/10"),
    ("bytes=-2", 206, b"89", "bytes 8-9/10"), ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ("bytes=0-9", 200, b"0123456789", None), ("bytes=10-", 416, b"", "bytes */10"),
    ("bytes=-0", 416, b"", "bytes */10"),
    ("bytes=5-2", 200, b"0123456789", None), ("lines=1-2", 200, b"0123456789", None),
])
@awaiting
async def test_parts(api: Any, wanted: str, status: int, part: bytes, told: str | None) -> None:
    image = await api.create()
    await api.upload(image, b"0123456789")
    code, got, headers = await api.ask("GET", image["file"], headers={"Range": wanted})
    assert (code, got) == (status, part)
    assert headers.getRawHeaders("content-range", [None]) == [told]
    assert headers.hasHeader("content-md5") is (status == 200)


@awaiting
async def test_head_tells_without_bytes(api: Any) -> None:
    image = await api.create()
    await api.upload(image, b"0123456789")
    status, got, headers = await api.ask("HEAD", image["file"])
    assert (status, got, headers.getRawHeaders("content-length")) == (200, b"", ["10"])


@awaiting
async def test_there_is_nothing_to_download_yet(api: Any) -> None:
    image = await api.create()
    assert (await api.ask("GET", image["file"]))[:2] == (204, b"")
    await api.upload(image, b"")
    assert (await api.ask("GET", image["file"]))[:2] == (200, b"")


@awaiting
async def test_a_second_upload_is_refused(api: Any) -> None:
    image = await api.create()
    await api.upload(image, b"first")
    status, body = await api.upload(image, b"second")
    assert status == 409 and "active" in body["message"]
    assert (await api.ask("GET", image["file"]))[1] == b"first"


@pytest.mark.parametrize(("headers", "status"), [
    ({"Content-Type": "application/json"}, 415), ({"X-OpenStack-Image-Size": "4"}, 400),
    ({"X-OpenStack-Image-Size": "many"}, 400), ({"X-OpenStack-Image-Size": str(1 << 40)}, 413)])
@awaiting
async def test_uploads_that_are_not_what_they_say(api: Any, headers: dict[str, str], status: int) -> None:
    image = await api.create()
    assert (await api.upload(image, b"bytes", **headers))[0] == status
    assert (await api.ask("GET", image["self"]))[1]["status"] == "queued"
    assert await api.cloud.store.keys() == ()


@awaiting
async def test_hostile_bytes_get_a_clear_answer_after_a_long_upload(api: Any) -> None:
    image = await api.create(disk_format="qcow2")
    status, body = await api.upload(image, b"not a disk" * 1_000_000)
    assert status == 400 and "disk_format" in body["message"]
    assert (await api.ask("GET", image["self"]))[1]["status"] == "queued"


@awaiting
async def test_too_large(api: Any) -> None:
    image = await api.create()
    status, body = await api.upload(image, bytes((20 << 20) + 1))
    assert status == 413 and "limit" in body["message"]


@awaiting
async def test_a_client_that_goes_away_leaves_the_image_queued(api: Any, turn: Any) -> None:
    image = await api.create()
    wire = await dial(api)
    wire.transport.write(put(image, "Content-Length: 100") + b"half")

    async def status() -> str:
        return (await api.ask("GET", image["self"]))[1]["status"]

    async def saving() -> bool:
        return await status() == "saving"

    async def queued() -> bool:
        return await status() == "queued"

    await turn(saving)
    wire.transport.abortConnection()
    await turn(queued)
    assert await api.cloud.store.keys() == ()
    assert (await api.upload(image, b"again"))[0] == 204


@awaiting
async def test_two_uploads_on_one_connection(api: Any, turn: Any) -> None:
    first, second = await api.create(), await api.create()
    wire = await dial(api)
    wire.transport.write(put(first, "Content-Length: 3") + b"one")
    wire.transport.write(put(second, "Transfer-Encoding: chunked") + b"3\r\ntwo\r\n4\r\nmore\r\n0\r\n\r\n")

    async def both() -> bool:
        return wire.received.count(b"HTTP/1.1 204") == 2

    await turn(both)
    assert (await api.ask("GET", first["file"]))[1] == b"one"
    assert (await api.ask("GET", second["file"]))[1] == b"twomore"
    wire.transport.loseConnection()
    await wire.closed


@awaiting
async def test_a_refused_client_that_waits_for_100_sends_nothing(api: Any) -> None:
    wire = await dial(api)
    wire.transport.write(put(await api.create(), "Content-Length: 1000000", "Expect: 100-continue", token="nobody"))
    await wire.closed
    assert wire.received.startswith(b"HTTP/1.1 401") and b"100 Continue" not in wire.received
    assert b"connection: close" in wire.received.lower()


@awaiting
async def test_an_awaited_client_is_told_100_once(api: Any, turn: Any) -> None:
    image = await api.create()
    wire = await dial(api)
    wire.transport.write(put(image, "Content-Length: 5", "Expect: 100-continue"))

    async def invited() -> bool:
        return b"100 Continue" in wire.received

    async def done() -> bool:
        return b"HTTP/1.1 204" in wire.received

    await turn(invited)
    wire.transport.write(b"bytes")
    await turn(done)
    assert wire.received.count(b"100 Continue") == 1
    wire.transport.loseConnection()
    await wire.closed


@awaiting
async def test_a_slow_store_slows_the_client_down(api: Any, turn: Any) -> None:
    image, gate = await api.create(), Deferred()
    write, largest = api.cloud.store.write, [0]

    async def slow(key: str, blocks: Any) -> int:
        async def measured() -> Any:
            await gate
            async for block in blocks:
                largest[0] = max(largest[0], len(block))
                yield block
        return await write(key, measured())

    api.cloud.store.write = slow
    sent = [0]
    wire = await dial(api)
    wire.transport.write(put(image, f"Content-Length: {20 << 20}"))

    class Pump:
        def resumeProducing(self) -> None:
            if sent[0] < 20 << 20:
                sent[0] += 1 << 20
                wire.transport.write(bytes(1 << 20))
            else:
                wire.transport.unregisterProducer()

        def stopProducing(self) -> None:
            pass

    wire.transport.registerProducer(Pump(), False)
    before = [-1]

    async def stuck() -> bool:
        quiet, before[0] = before[0] == sent[0] > 0, sent[0]
        return quiet

    await turn(stuck)
    gate.callback(None)

    async def done() -> bool:
        return b"HTTP/1.1 204" in wire.received

    await turn(done)
    assert largest[0] < 2 * HELD
    assert (await api.ask("GET", image["self"]))[1]["size"] == 20 << 20
    wire.transport.loseConnection()
    await wire.closed


@awaiting
async def test_bytes_that_vanished_are_an_error_and_a_torn_download_never_looks_whole(api: Any) -> None:
    image = await api.create()
    await api.upload(image, b"0123456789")
    read = api.cloud.store.read

    async def torn(key: str, offset: int = 0, length: int | None = None) -> Any:
        yield b"0123"
        raise errors.TransientFailure("The disk is gone.")

    api.cloud.store.read = torn
    wire = await dial(api)
    wire.transport.write(f"GET /image{image['file']} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: alice\r\n\r\n".encode())
    await wire.closed
    assert wire.received.partition(b"\r\n\r\n")[2] in (b"", b"0123")
    api.cloud.store.read = read
    for key in await api.cloud.store.keys():
        await api.cloud.store.delete(key)
    status, body, _ = await api.ask("GET", image["file"])
    assert status >= 500 and body["message"]
