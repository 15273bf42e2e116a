"""A private RabbitMQ for live tests: own folder, own port, killed by its own process number.

Nothing is shared with a broker of the machine: not the cookie, not the node name, not the configuration.
``stop``, ``wipe``, ``freeze`` and ``thaw`` do to it what happens to brokers.
"""

import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from stackd.bus.amqp.bus import AmqpBus, admit_all
from stackd.bus.amqp.serving import Admit
from stackd.bus.amqp.settings import AmqpSettings

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself; the command on the path changes the user."""
CONTROL = SERVER.with_name("rabbitmqctl")
STARTS_WITHIN = 60.0
HEADER = b"AMQP\x00\x00\x09\x01"


def free_port() -> int:
    """A port nobody listens on, below those the kernel gives to clients: a client must not take it between restarts."""
    while True:
        port = random.randint(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def write_certificate(path: Path) -> None:
    """A key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


class RabbitMq:
    """One broker on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet. TLS is spoken on a second port, with the certificate in ``certificate``."""
        if not SERVER.exists():
            pytest.fail("RabbitMQ is missing: apt-get install rabbitmq-server")
        self.folder = folder
        self.port = free_port()
        self.tls_port = free_port()
        self.certificate = folder / "certificate.pem"
        write_certificate(self.certificate)
        self._dist_port = free_port()
        self._names_port = free_port()
        self._name = f"stackd-{secrets.token_hex(4)}@localhost"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def tls_url(self) -> str:
        """Where it listens for TLS."""
        return f"amqps://guest:guest@127.0.0.1:{self.tls_port}/"

    def start(self) -> None:
        """Start it and wait until it speaks AMQP."""
        self._configure()
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(SERVER)], env=self._environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._speaks():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("RabbitMQ did not start:\n" + (self.folder / "output").read_text()[-3000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """As by ``systemctl stop``; durable queues stay on disk."""
        self._signal(signal.SIGTERM)
        self._end(30.0)

    def kill(self) -> None:
        """As by a power cut."""
        self._signal(signal.SIGKILL)
        self._end(10.0)

    def end(self) -> None:
        """It was never there: also Erlang's name server, which it started, goes."""
        self.thaw()
        self.kill()
        subprocess.run(["epmd", "-port", str(self._names_port), "-kill"], check=False, capture_output=True, timeout=10,
                       env=self._environment())
        shutil.rmtree(self.folder, ignore_errors=True)

    def wipe(self) -> None:
        """Forget all queues and messages of the stopped broker."""
        shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    def freeze(self) -> None:
        """It holds its connections and says nothing more, once this returns."""
        self._signal(signal.SIGSTOP)
        while not all(state in "TXZ" for state in self._thread_states()):
            time.sleep(0.01)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def control(self, *words: str) -> str:
        """What ``rabbitmqctl`` says; it takes more than a second."""
        found = subprocess.run([str(CONTROL), "--node", self._name, *words], env=self._environment(), check=True,
                               capture_output=True, text=True, timeout=60)
        return found.stdout

    def _thread_states(self) -> list[str]:
        assert self._process is not None
        top = psutil.Process(self._process.pid)
        paths = [path for each in (top, *top.children(recursive=True)) if os.getpgid(each.pid) == top.pid
                 for path in Path(f"/proc/{each.pid}/task").glob("*/stat")]
        return [_state(path) for path in paths]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _end(self, seconds: float) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            self._signal(signal.SIGKILL)
            self._process.wait(10.0)
            self._process = None

    def _configure(self) -> None:
        lines = [f"listeners.tcp.local = 127.0.0.1:{self.port}", "loopback_users = none", "log.console = false",
                 "vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 20MB",
                 f"listeners.ssl.local = 127.0.0.1:{self.tls_port}",
                 *(f"ssl_options.{name} = {self.certificate}" for name in ("certfile", "keyfile", "cacertfile"))]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self._name, "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._dist_port), "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            # Two busy cores are shared with the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"}

    def _speaks(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
            probe.settimeout(2.0)
            probe.sendall(HEADER)
            return bool(probe.recv(1))
        return False


def _state(stat: Path) -> str:
    """The letter of a thread's state, X for one that has ended."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


@contextlib.contextmanager
def private_broker() -> Iterator[RabbitMq]:
    """A running broker for one purpose; at the end it is dead and its folder gone."""
    folder = Path(tempfile.mkdtemp(prefix="stackd-rabbitmq-"))
    broker = RabbitMq(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


_shared = contextlib.ExitStack()
_users: list[RabbitMq] = []


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A running broker that all modules share; each test gives its queues names of their own."""
    broker = _users[0] if _users else _shared.enter_context(private_broker())
    _users.append(broker)
    yield broker
    _users.pop()
    if not _users:
        _shared.close()


PATIENCE = 20.0


async def soon(deferred: "Deferred[Any]") -> Any:
    """Its result, within reason."""
    return await deferred.addTimeout(PATIENCE, reactor)


def begun(coroutine: Any) -> "Deferred[Any]":
    """It runs by itself."""
    return Deferred.fromCoroutine(coroutine)


async def after(seconds: float) -> None:
    """Real time passes."""
    await deferLater(reactor, seconds, lambda: None)


SETTINGS = AmqpSettings(heartbeat=1.0, connect_within=2.0, unserved_for=5.0, backoff_most=1.0)


class Buses:
    """Buses of one cloud, as of several daemons."""

    def __init__(self, broker: RabbitMq) -> None:
        self._broker = broker
        self.prefix = f"test-{secrets.token_hex(4)}"
        self._made: list[AmqpBus] = []

    def add(self, *urls: str, admit: Admit = admit_all, **settings: Any) -> AmqpBus:
        """One more."""
        bus = AmqpBus(reactor, urls or [self._broker.url], evolve(SETTINGS, prefix=self.prefix, **settings),
                      admit=admit)
        bus.startService()
        self._made.append(bus)
        return bus

    async def stop(self) -> None:
        """All of them."""
        for bus in self._made:
            if bus.running:
                await bus.stopService()


@pytest_twisted.async_yield_fixture
async def buses(rabbitmq: RabbitMq) -> Any:
    """With queues of their own."""
    buses = Buses(rabbitmq)
    yield buses
    await buses.stop()
