"""A private RabbitMQ in a folder: own ports, own cookie, own configuration, nothing shared with one of the machine.

Live tests, labs and the bench use it. It outlives the process that started it: ``RabbitMq`` of the same folder finds it
again. ``stop``, ``kill``, ``wipe``, ``freeze`` and ``thaw`` do to it what happens to brokers. Blocking.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from stackd.bus.amqp.users import SALT, hashed
from stackd.testing.certificates import write_certificate
from stackd.testing.ports import free_port
from stackd.testing.processes import KeptProcess, placed, wait_for

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself; the command on the path changes the user."""
CONTROL = SERVER.with_name("rabbitmqctl")
STARTS_WITHIN = 60.0
HEADER = b"AMQP\x00\x00\x09\x01"


class RabbitMq:
    """One broker."""

    def __init__(self, folder: Path, addresses: Sequence[str] = ("127.0.0.1",), namespace: str = "",
                 memory_mib: int = 512) -> None:
        """The broker of this folder, or a new one; a new one does not run yet.

        It listens at ``addresses`` in the network namespace ``namespace``; the first of them the caller can reach. TLS
        is spoken on a second port, with the certificate in ``certificate``. From ``memory_mib`` on it blocks senders.
        """
        if not SERVER.exists():
            raise RuntimeError("RabbitMQ is not installed; as root, run: apt-get install -y rabbitmq-server")
        self.folder = folder
        self.certificate = folder / "certificate.pem"
        kept = folder / "broker.json"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_certificate(self.certificate)
            ports = {name: free_port() for name in ("port", "tls_port", "dist_port", "names_port")}
            kept.write_bytes(orjson.dumps({
                **ports, "name": f"stackd-{secrets.token_hex(4)}@localhost", "addresses": list(addresses),
                "namespace": namespace, "memory_mib": memory_mib}))
        self._facts: dict[str, Any] = orjson.loads(kept.read_bytes())
        self.port: int = self._facts["port"]
        self.tls_port: int = self._facts["tls_port"]
        self._process = KeptProcess(folder / "pid")

    @property
    def pid(self) -> int | None:
        """The process that began it, while it lives."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens, for the user it has when none are defined."""
        return self.url_of()

    @property
    def tls_url(self) -> str:
        """Where it listens for TLS."""
        return f"amqps://guest:guest@{self._facts['addresses'][0]}:{self.tls_port}/"

    def url_of(self, user: str = "guest", password: str = "guest", address: str = "") -> str:
        """Where it listens for a user, at one of its addresses."""
        return (f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@"
                f"{address or self._facts['addresses'][0]}:{self.port}/")

    def define(self, *definitions: Mapping[str, Sequence[Any]]) -> None:
        """Let it have these users, permissions and policies and no others from its next start on, also after a wipe.

        They are RabbitMQ's definitions, as ``everything_for`` and ``bus.amqp.users.host_definitions`` give them.
        """
        whole: dict[str, list[Any]] = {"vhosts": [{"name": "/"}]}
        for part in definitions:
            for kind, values in part.items():
                whole.setdefault(kind, []).extend(values)
        path = self.folder / "definitions.json"
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps(whole))

    def start(self) -> None:
        """Start it and wait until it speaks AMQP; one that runs is left alone."""
        if self._process.members():
            return
        self._configure()
        output = self.folder / "output"
        self._process.start(self._placed(str(SERVER)), output, self._environment(), self.folder)
        wait_for(lambda: self._process.pid is None or self._speaks(), STARTS_WITHIN, 0.1)
        if not self._speaks():
            self.kill()
            raise RuntimeError("RabbitMQ did not start:\n" + output.read_text()[-3000:])

    def stop(self) -> None:
        """As by ``systemctl stop``; durable queues stay on disk."""
        self._process.end(signal.SIGTERM, 30.0)

    def kill(self) -> None:
        """As by a power cut."""
        self._process.end(signal.SIGKILL)

    def end(self) -> None:
        """It was never there: also Erlang's name server, which it started, goes."""
        self.kill()
        subprocess.run(self._placed("epmd", "-port", str(self._facts["names_port"]), "-kill"), check=False,
                       capture_output=True, timeout=10, env=self._environment())
        shutil.rmtree(self.folder, ignore_errors=True)

    def wipe(self) -> None:
        """Forget all queues and messages of the stopped broker, and users that were not defined."""
        shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    def freeze(self) -> None:
        """It holds its connections and says nothing more, once this returns."""
        self._process.freeze()

    def thaw(self) -> None:
        """It goes on."""
        self._process.thaw()

    def control(self, *words: str) -> str:
        """What ``rabbitmqctl`` says; it takes more than a second."""
        found = subprocess.run(self._placed(str(CONTROL), "--node", self._facts["name"], *words), check=True,
                               env=self._environment(), capture_output=True, text=True, timeout=60)
        return found.stdout

    def _placed(self, *argv: str) -> list[str]:
        return placed(argv, self._facts["namespace"])

    def _configure(self) -> None:
        facts = self._facts
        lines = [f"listeners.{kind}.{number} = {address}:{facts[port]}" for number, address in
                 enumerate(facts["addresses"], 1) for kind, port in (("tcp", "port"), ("ssl", "tls_port"))]
        lines += ["loopback_users = none", "log.console = false", "disk_free_limit.absolute = 20MB",
                  f"vm_memory_high_watermark.absolute = {facts['memory_mib']}MB",
                  *(f"ssl_options.{name} = {self.certificate}" for name in ("certfile", "keyfile", "cacertfile"))]
        if (self.folder / "definitions.json").exists():
            lines.append(f"load_definitions = {self.folder}/definitions.json")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self._facts["name"], "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._facts["dist_port"]),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._facts["names_port"]),
            # Two busy cores are shared with the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"}

    def _speaks(self) -> bool:
        with contextlib.suppress(OSError), \
                socket.create_connection((self._facts["addresses"][0], self.port), 1.0) as probe:
            probe.settimeout(2.0)
            probe.sendall(HEADER)
            return bool(probe.recv(1))
        return False


def everything_for(user: str, password: str) -> dict[str, list[Any]]:
    """The definitions of a user who may do everything, as the daemons of the control plane."""
    return {"users": [{"name": user, "password_hash": hashed(password, secrets.token_bytes(SALT)),
                       "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []}],
            "permissions": [{"user": user, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]}
