"""``stack-api`` with several workers, as a real process: what clients notice when workers die or all is stopped."""

import errno
import http.client
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from stackd.daemons.bootstrapping import make_secrets
from stackd.daemons.prefork import Post, Worker, wanted
from stackd.testing.ports import free_base
from stackd.testing.processes import wait_for

PATIENCE = 40.0
BODY = b'{"auth": {"identity": {"methods": []}}}'


class Api:
    """A running ``stack-api`` of two workers."""

    def __init__(self, folder: Path) -> None:
        """Started, and answering by both workers."""
        self.port = free_base() + 1
        self.monitor = free_base()
        file = folder / "api.toml"
        file.write_text(f"""
[cloud]
state = "{folder}"
[database]
url = "sqlite:///{folder}/stackd.db"
[api]
port_base = {self.port - 1}
workers = 2
stop_within = 20.0
""")
        make_secrets(folder)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "--logger",
                 "stackd.daemons.logging.to_stdout", "stack-api", "--config", str(file),
                 "--monitor", str(self.monitor)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        assert wait_for(lambda: len(self.workers()) == 2 and len(self.spread(12)) == 2, PATIENCE), self.log.read_text()

    def look(self, path: str) -> tuple[int, str]:
        """What the master says of them."""
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor, timeout=PATIENCE)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def workers(self) -> set[int]:
        """Their process ids."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def spread(self, number: int) -> "Counter[int]":
        """How many of so many connections opened at once each worker answers on."""
        connections = []
        with suppress(OSError):
            connections = [self.begin() for _ in range(number)]
        found = Counter(self.worker_of(connection) for connection in connections)
        for connection in connections:
            assert self.finish(connection) in (400, 401)
        return found

    def begin(self) -> http.client.HTTPConnection:
        """A login whose last byte is not sent yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.putrequest("POST", "/identity/v3/auth/tokens")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(BODY)))
        connection.endheaders(BODY[:-1])
        return connection

    def finish(self, connection: http.client.HTTPConnection) -> int:
        """Send it; the status of the answer."""
        connection.send(BODY[-1:])
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def worker_of(self, connection: http.client.HTTPConnection) -> int:
        """Who answers on it."""
        mine = connection.sock.getsockname()

        def look() -> int:
            return next((pid for pid in self.workers() for each in psutil.Process(pid).net_connections("tcp")
                         if each.raddr and tuple(each.raddr) == mine), 0)

        assert wait_for(look, PATIENCE)
        return look()


def lives(pid: int) -> bool:
    """Whether it runs; one that nobody asked about its end does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Its master is killed at the end: then its workers end by themselves."""
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    workers = api.workers()
    api.process.kill()
    api.process.wait(PATIENCE)
    assert len(workers) == 2 and wait_for(lambda: not any(map(lives, workers)), PATIENCE)


def begun_on(api: Api, worker: int) -> http.client.HTTPConnection:
    """A request that this worker has begun."""
    while True:
        connection = api.begin()
        if api.worker_of(connection) == worker:
            return connection
        api.finish(connection)


def test_a_killed_worker_takes_only_its_requests_along(api: Api) -> None:
    doomed, other = sorted(api.workers())
    lost, kept = begun_on(api, doomed), begun_on(api, other)
    psutil.Process(doomed).kill()
    with pytest.raises((http.client.HTTPException, OSError)):
        api.finish(lost)
    assert api.finish(kept) in (400, 401)
    for _ in range(20):
        assert api.finish(api.begin()) in (400, 401)
    assert wait_for(lambda: len(api.workers()) == 2 and len(api.spread(12)) == 2, PATIENCE)
    assert doomed not in api.workers() and other in api.workers()


def answered(metrics: str) -> dict[str, float]:
    """How many logins each worker has answered."""
    found = re.findall(r'^stackd_http_requests_total{api="identity",.*worker="(.)"} (.*)$', metrics, re.MULTILINE)
    return {worker: sum(float(count) for each, count in found if each == worker) for worker, _ in found}


def test_the_master_tells_of_all_workers(api: Api) -> None:
    assert wait_for(lambda: api.look("/healthz")[0] == 200, PATIENCE)
    before = answered(api.look("/metrics")[1])
    for worker in api.workers():
        for _ in range(3):
            api.finish(begun_on(api, worker))
    after = answered(api.look("/metrics")[1])
    assert set(after) == {"0", "1"}
    public = http.client.HTTPConnection("127.0.0.1", api.port, timeout=PATIENCE)
    public.request("GET", "/metrics")
    assert public.getresponse().status == 404, "who looks from outside learns nothing"
    assert all(after[worker] - before.get(worker, 0) >= 3 for worker in after)
    frozen = psutil.Process(min(api.workers()))
    frozen.suspend()
    status, words = api.look("/healthz")
    frozen.resume()
    assert status == 503 and "It does not answer" in words


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    api = Api(tmp_path)
    under_way = [begun_on(api, worker) for worker in api.workers()]
    idle = http.client.HTTPConnection("127.0.0.1", api.port, timeout=PATIENCE)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    api.process.send_signal(signal.SIGTERM)
    assert idle.sock.recv(1) == b"", "an idle connection is closed at once"
    with pytest.raises(subprocess.TimeoutExpired):
        api.process.wait(1.0)
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", api.port, timeout=PATIENCE).connect()
    assert [api.finish(connection) for connection in under_way] == [400, 400]
    assert api.process.wait(PATIENCE) in (0, -signal.SIGTERM)
    assert "Traceback" not in api.log.read_text()


class Crowded(Clock):
    """A machine that starts a process, or refuses to, as it is told."""

    pid = 7

    def __init__(self, *allowed: bool) -> None:
        """One for each start."""
        super().__init__()
        self.allowed = list(allowed)

    def spawnProcess(self, *arguments: object, **named: object) -> "Crowded":
        """As the reactor does; there is nothing behind it."""
        if not self.allowed.pop(0):
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return self


def worker_on(reactor: Crowded) -> Worker:
    return Worker(reactor, Post(number=0, daemon="api", config=None, sockets={}, workers=1, monitor=""), {}, 1.0)


def test_a_worker_that_cannot_be_started_again_now_is_started_later() -> None:
    reactor = Crowded(True, False, False, True)
    worker = worker_on(reactor)
    worker.start()
    worker.processEnded(Failure(ProcessTerminated(signal=9)))
    reactor.pump([0.2, 0.4])
    assert worker.pid is None
    reactor.advance(0.8)
    assert worker.pid == 7


def test_a_worker_that_cannot_be_started_at_first_is_told() -> None:
    with pytest.raises(BlockingIOError):
        worker_on(Crowded(False)).start()


def test_what_a_worker_is_told_survives_the_way() -> None:
    post = Post(number=1, daemon="api", config=None, sockets={8773: 3}, workers=2, monitor="/state/worker-")
    assert Post.load(post.dump()) == post


def test_no_number_is_one_for_each_core() -> None:
    assert wanted(0) == len(psutil.Process().cpu_affinity())
    assert wanted(3) == 3
