"""What a network does to the driver ``http``: lost and silent connections, wrong answers, slow readers."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from stackd import errors
from stackd.config import sections
from stackd.drivers.images import http
from stackd.drivers.images.http import HttpImages
from stackd.drivers.images.inflow import HELD
from stackd.drivers.images.prefixes import Prefixes
from stackd.testing.contracts.imagestore import gather
from stackd.testing.images import caller

ALICE = caller("alice", "red")
ID = "a" * 32
CONTENT = bytes(range(256)) * 1000
awaiting = pytest_twisted.ensureDeferred
Answer = Callable[[Any], Any]
TOKEN = {"token": {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z"}}


@define
class Scripted(Resource):
    """Answers logins well, and the n-th other request by the n-th of ``answers``; the last one stays."""

    answers: list[Answer] = field(factory=list)
    asked: list[tuple[str, str | None]] = field(factory=list)
    isLeaf = True

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: Any) -> Any:
        if request.path.endswith(b"/auth/tokens"):
            request.setResponseCode(201)
            request.setHeader("X-Subject-Token", "good")
            return orjson.dumps(TOKEN)
        self.asked.append((request.uri.decode(), request.getHeader("range")))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """A plain answer."""
    def answer(request: Any) -> bytes:
        request.setResponseCode(code)
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        return body
    return answer


def cut_after(count: int, obey_range: bool = True) -> Answer:
    """The content from where it was asked, broken off after so many bytes."""
    def answer(request: Any) -> Any:
        start = int((request.getHeader("range") or "bytes=0-")[6:-1]) if obey_range else 0
        part = CONTENT[start:]
        request.setResponseCode(206 if start else 200)
        request.setHeader("Content-Length", str(len(part)))
        request.write(part[:count])
        if count >= len(part):
            request.finish()
        else:
            reactor.callLater(0.05, request.transport.loseConnection)
        return NOT_DONE_YET
    return answer


def silent(request: Any) -> Any:
    """Never."""
    return NOT_DONE_YET


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest_twisted.async_yield_fixture
async def images(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpImages]:
    """A client of it that does not wait long."""
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)
    port = reactor.listenTCP(0, Site(scripted), interface="127.0.0.1")
    base = f"http://127.0.0.1:{port.getHost().port}"
    client = HttpImages(reactor, sections.Image(url=f"{base}/image", auth_url=f"{base}/identity/v3", user="glance",
                                                password="x", project="service", timeout=0.5))
    yield client
    await client.close()
    await port.stopListening()


@pytest.mark.parametrize("obey_range", [True, False])
@awaiting
async def test_a_download_goes_on_where_it_broke(scripted: Scripted, images: HttpImages, obey_range: bool) -> None:
    """Also of a service that begins anew."""
    scripted.answers = [cut_after(100_000), cut_after(50_000 if obey_range else 150_000, obey_range),
                        cut_after(1 << 30, obey_range)]
    assert await gather(images.read(ID)) == CONTENT
    assert [asked for _, asked in scripted.asked] == [None, "bytes=100000-", "bytes=150000-"]


@awaiting
async def test_a_download_that_breaks_without_progress_ends(scripted: Scripted, images: HttpImages) -> None:
    """After some tries; whoever asked tries again later."""
    scripted.answers = [cut_after(1000), cut_after(0)]
    with pytest.raises(errors.TransientFailure, match="cannot be read now"):
        await gather(images.read(ID))
    assert len(scripted.asked) == 1 + http.RESUMES


@awaiting
async def test_bytes_that_vanish_in_the_midst_have_vanished(scripted: Scripted, images: HttpImages) -> None:
    scripted.answers = [cut_after(1000), status(404)]
    with pytest.raises(errors.ImageVanished):
        await gather(images.read(ID))


@pytest.mark.parametrize("code", [204, 404, 410])
@awaiting
async def test_no_bytes(scripted: Scripted, images: HttpImages, code: int) -> None:
    scripted.answers = [status(code)]
    with pytest.raises(errors.ImageVanished):
        await gather(images.read(ID))


@pytest.mark.parametrize("answer", [
    silent, status(503), status(500), status(429), status(200, b"no json"), status(200, b"[]"), status(403),
    status(401), status(302), status(200, b'{"id": "x"}'), status(200, orjson.dumps({"id": ID}))])
@awaiting
async def test_answers_that_are_none(scripted: Scripted, images: HttpImages, answer: Answer) -> None:
    """Never a wrong image, never an endless wait: the service cannot be used now."""
    scripted.answers = [answer]
    with pytest.raises(errors.Unavailable, match="image service.*cannot be used now"):
        await images.show(ALICE, ID)


@pytest.mark.parametrize("code", [500, 503, 403, 400])
@awaiting
async def test_a_download_that_is_refused_is_tried_again_later(scripted: Scripted, images: HttpImages,
                                                               code: int) -> None:
    scripted.answers = [status(code)]
    with pytest.raises(errors.TransientFailure):
        await gather(images.read(ID))


@awaiting
async def test_a_strange_image_does_not_hide_the_others(scripted: Scripted, images: HttpImages) -> None:
    """It is left out of the list."""
    good = {"id": ID, "status": "active", "visibility": "public", "name": "good", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "os_hash_algo": "sha256", "os_hash_value": "f" * 64,
            "stores": "default", "os_distro": "x", "number": 3}
    scripted.answers = [status(200, orjson.dumps({"images": [{**good, "status": "unheard-of"}, good]}),
                               X_Image_Filters="viewer")]
    page = await images.list(ALICE, http.PageRequest())
    assert [(image.name, image.hash_value, dict(image.properties)) for image in page] == [
        ("good", None, {"os_distro": "x"})]


@awaiting
async def test_a_slow_reader_holds_the_sender_back(scripted: Scripted, images: HttpImages) -> None:
    """What is held stays bounded, whatever the sender has."""
    sent: list[int] = []

    def endless(request: Any) -> Any:
        request.setHeader("Content-Length", str(1 << 40))

        class Producer:
            def resumeProducing(self) -> None:
                sent.append(1 << 16)
                request.write(b"x" * (1 << 16))

            def stopProducing(self) -> None:
                """Nobody reads any more."""

        request.registerProducer(Producer(), False)
        return NOT_DONE_YET

    scripted.answers = [endless]
    reading = images.read(ID)
    await anext(reading)
    await wait_until_still(sent)
    assert HELD / 2 < sum(sent) < HELD + (16 << 20)
    await reading.aclose()  # type: ignore[attr-defined]


async def wait_until_still(sent: list[int]) -> None:
    """Until nothing more was sent for a while."""
    before = -1
    while before != len(sent):
        before = len(sent)
        await deferLater(reactor, 0.1)


@awaiting
async def test_a_foreign_service_is_not_searched_without_end(scripted: Scripted, images: HttpImages,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """The user is told what to do instead."""
    monkeypatch.setattr(http, "SCANNED_PAGES", 3)
    shown = {"status": "active", "visibility": "public", "created_at": "2026-01-01T00:00:00Z",
             "updated_at": "2026-01-01T00:00:00Z"}
    numbers = iter(range(100))

    def page(request: Any) -> bytes:
        return orjson.dumps({"images": [{**shown, "id": f"{next(numbers):032x}"}], "next": "/v2/images?marker=x"})

    scripted.answers = [page]
    with pytest.raises(errors.NotSupported, match="OpenStack"):
        await images.find(ALICE, "f" * 32, "f" * 32)
    assert len(scripted.asked) == 4


def test_prefixes_are_bounded() -> None:
    """And forget rather than grow."""
    known = Prefixes(Clock(), most=3)
    for id in ("b", "a", "a", "c"):
        known.note(id)
    assert known.within("b", "b") == "b" and known.within("bb", "bz") is None
    known.note("d")
    assert known.within("a", "c") is None and known.within("d", "d") == "d"


@awaiting
async def test_many_ids_that_no_image_has_cost_two_searches() -> None:
    """And an image that was made meanwhile is found after a while."""
    clock, there, searches = Clock(), ["1" * 32], []

    async def pages(high: str) -> AsyncIterator[list[str]]:
        searches.append(high)
        yield [id for id in there if id <= high]

    known = Prefixes(clock)
    for digit in "23456789":
        assert await known.find(digit * 32, digit * 32, pages) is None
    assert len(searches) == 2
    there.append("9" * 32)
    assert await known.find("9" * 32, "9" * 32, pages) is None
    clock.advance(31)
    assert await known.find("9" * 32, "9" * 32, pages) == "9" * 32
    assert await known.find("1" * 32, "1" * 32, pages) == "1" * 32
    assert len(searches) == 3


@awaiting
async def test_a_search_that_cannot_see_all_still_finds_what_it_saw() -> None:
    """Of a service with too many images."""
    async def pages(high: str) -> AsyncIterator[list[str]]:
        yield ["1" * 32, "3" * 32]
        if high > "4":
            raise errors.NotSupported("Too many.")

    known = Prefixes(Clock())
    assert await known.find("2" * 32, "2" * 32, pages) is None
    assert await known.find("3" * 32, "3" * 32, pages) == "3" * 32
    with pytest.raises(errors.NotSupported):
        await known.find("5" * 32, "5" * 32, pages)
