"""``/healthz`` and ``/metrics``: resources to put under a site.

``healthz`` answers 200 when every check is content and 503 otherwise, with the words of each check; a load balancer
reads the code, a person the words. ``metrics`` is what Prometheus scrapes. ``monitor`` and ``endpoints`` make them.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

log = Logger()
WITHIN = 3.0
"""Seconds for which a check is waited for."""

Check = Callable[[], str | Awaitable[str]]
"""Gives what is wrong, in words; empty when all is well. Must not block, and must not wait for long."""
Checks = Callable[[], Mapping[str, Check]]
Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class Answered(Resource):
    """Answers GET with what a coroutine gives."""

    isLeaf = True

    def __init__(self, answer: Callable[[], Awaitable[Answer]]) -> None:
        """``answer`` is called for each request."""
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Request) -> int:
        """The answer follows."""
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        ensureDeferred(self._finish(request, gone))
        return NOT_DONE_YET

    async def _finish(self, request: Request, gone: list[object]) -> None:
        try:
            status, kind, body = await self._answer()
        except Exception:
            log.failure("{path} cannot be answered", path=request.path.decode("ascii", "replace"))
            status, kind, body = 500, "text/plain", b"See the log.\n"
        if not gone:
            request.setResponseCode(status)
            request.setHeader("Content-Type", kind)
            request.write(body)
            request.finish()


def health(checks: Checks) -> Answered:
    """What ``checks`` gives by the name of the part looked at, for example ``database``."""
    async def answer() -> Answer:
        begun = {name: ensureDeferred(complaint(check)) for name, check in checks().items()}
        return told({name: await each for name, each in begun.items()})

    return Answered(answer)


def told(found: Mapping[str, str]) -> Answer:
    """The answer of ``/healthz`` for the words of each check."""
    failing = any(found.values())
    body = orjson.dumps({"status": "failing" if failing else "ok",
                         "checks": {name: words or "ok" for name, words in found.items()}})
    return 503 if failing else 200, "application/json", body


def metrics(text: Callable[[], bytes | Awaitable[bytes]]) -> Answered:
    """What ``text`` gives, in Prometheus' text form."""
    async def answer() -> Answer:
        found = text()
        return 200, CONTENT_TYPE_LATEST, await found if inspect.isawaitable(found) else found

    return Answered(answer)


async def complaint(check: Check) -> str:
    """What the check says, or what it raised."""
    try:
        found = check()
        return found if isinstance(found, str) else await found
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class Patient:
    """A check that may hang: it is asked once at a time, and waited for a while only."""

    def __init__(self, clock: object, look: Callable[[], Awaitable[str]], seconds: float, words: str) -> None:
        """``words`` are the complaint when nothing is heard in so many ``seconds``."""
        self._clock = clock
        self._look = look
        self._seconds = seconds
        self._words = words
        self._waiting: list[Deferred[str]] = []
        self._under_way = False

    async def __call__(self) -> str:
        """What it says, in time."""
        mine: Deferred[str] = Deferred()
        self._waiting.append(mine)
        if not self._under_way:
            self._under_way = True
            ensureDeferred(self._ask())
        limit = self._clock.callLater(self._seconds, self._give_up, mine)  # type: ignore[attr-defined]
        try:
            return await mine
        finally:
            if limit.active():
                limit.cancel()

    async def _ask(self) -> None:
        found = await complaint(self._look)
        self._under_way = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(found)

    def _give_up(self, waiting: "Deferred[str]") -> None:
        self._waiting.remove(waiting)
        waiting.callback(self._words)


def health_root(checks: Checks, text: Callable[[], bytes | Awaitable[bytes]]) -> Resource:
    """A root with both, for a port that serves nothing else."""
    return rooted(health(checks), metrics(text))


def rooted(health: Resource, metrics: Resource) -> Resource:
    """Both at their places."""
    root = Resource()
    root.putChild(b"healthz", health)
    root.putChild(b"metrics", metrics)
    return root
