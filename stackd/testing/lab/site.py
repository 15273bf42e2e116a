"""One cloud of separate processes in a folder: broker, database, every daemon by itself, on fake or real hosts.

The lab, the chaos run, the simulation, the bench and live tests use it. Whoever knows the folder may take a site up:
each process is found by its pid file. Blocking.

::

    conf/NAME.toml  run/NAME.pid  log/NAME.log     of each daemon
    broker/  database -> (elsewhere)  images/  hosts/NAME/
    openrc  clouds.yaml  aws.env  operator.sock    as of any cloud
"""

import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import orjson

from stackd.bus.amqp.users import SALT, host_definitions, host_permissions
from stackd.config.loading import load_file
from stackd.daemons import machine
from stackd.daemons.hosts import host_names
from stackd.daemons.passwords import passwords_of
from stackd.daemons.secretfiles import kept
from stackd.testing.broker import RabbitMq, everything_for
from stackd.testing.lab.configs import Configs, ControlFacts, HostFacts
from stackd.testing.lab.credentials import Credentials, read_credentials
from stackd.testing.lab.ground import Namespaces, OneMachine
from stackd.testing.lab.options import FAKE, REAL, SiteOptions, keep, kept_options, kind_of
from stackd.testing.lab.readiness import silent, unwell, wait_until
from stackd.testing.ports import free_base
from stackd.testing.processes import KeptProcess, placed
from stackd.testing.servers import SERVERS, MariaDB, PostgreSQL

READY_WITHIN = 120.0
STOPS_WITHIN = 60.0
BOOTSTRAP_WITHIN = 120.0
BROKER_USER = "stackd"
DATABASE = "stackd"
SHARED_SECRETS = ("identity.keys", "metadata.secret")


class Site:
    """One cloud of many processes."""

    def __init__(self, folder: Path, options: SiteOptions | None = None) -> None:
        """The site of this folder with the options it was made with; or a new one, of which nothing is there yet."""
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.options = kept_options(self.folder) or keep(options or SiteOptions(), self.folder)
        self.names = self.options.names()
        self.ground = OneMachine() if self.options.drivers == FAKE else Namespaces(
            self.folder, self.options.name, self.options.hosts)
        self._began = 0.0
        self._daemons = {name: KeptProcess(self.folder / "run" / f"{name}.pid") for name in self.names}

    # --- what it stands on -------------------------------------------------------------------------

    @cached_property
    def broker(self) -> RabbitMq:
        """Its broker."""
        addresses = dict.fromkeys([self.ground.address, self.ground.inner])
        return RabbitMq(self.folder / "broker", list(addresses), self.ground.namespace, self.options.broker_memory_mib)

    @cached_property
    def server(self) -> PostgreSQL | MariaDB:
        """Its database server; in a folder elsewhere, because its user may not be able to enter ours."""
        link = self.folder / "database"
        if not link.is_symlink():
            link.symlink_to(tempfile.mkdtemp(prefix="stackd-db-"))
        return SERVERS[self.options.database](folder=link.resolve(), addresses=[self.ground.address],
                                              namespace=self.ground.namespace)

    @property
    def database_url(self) -> str:
        """Where all is kept."""
        return self.server.url_of(DATABASE)

    # --- where it is ---------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """Where the OpenStack APIs are; of the first of several processes."""
        return self.api_urls[0]

    @property
    def api_urls(self) -> list[str]:
        """Of each."""
        return [self._url(name, 1) for name in self.names if kind_of(name) == "api"]

    @property
    def ec2_url(self) -> str:
        """Where the EC2 API is."""
        return self._url("api-1", 0)

    @property
    def image_url(self) -> str:
        """Where the image service is."""
        return self._url("image-1", 1) + "/image"

    @property
    def credentials(self) -> Credentials:
        """The user ``demo``."""
        return read_credentials(self.folder, f"{self.api_url}/identity/v3", "demo")

    @property
    def admin(self) -> Credentials:
        """The administrator."""
        return read_credentials(self.folder, f"{self.api_url}/identity/v3", "admin")

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return [name for pool in self.options.pools() for name in host_names(load_file(self.config(f"compute@{pool}")))]

    def config(self, name: str) -> Path:
        """The configuration of a daemon."""
        return self.folder / "conf" / f"{name}.toml"

    def log(self, name: str) -> Path:
        """What a daemon says, a JSON object a line."""
        return self.folder / "log" / f"{name}.log"

    # --- from nothing to everything ------------------------------------------------------------------

    def prepare(self) -> None:
        """Bring up what the daemons stand on, and write what they need; none of them runs yet."""
        for name in ("conf", "run", "log", "images", "hosts"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        self.ground.prepare()
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(self._start_broker)
            self._start_server()
            self._write_configs()
            self._bootstrap()
            started.result()

    def start(self) -> None:
        """Start every daemon that does not run, and wait until clients may come."""
        for name in self.names:
            self.spawn(name)
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_WITHIN) -> None:
        """Wait until the APIs are well and every host has said hello; raises ``RuntimeError`` with what lacks."""
        urls = [*self.api_urls, self._url("image-1", 1)]
        names = self.hosts
        wait_until(lambda: self._ended() or unwell(urls) or silent(self.database_url, names, self._began), seconds)

    def stop(self) -> None:
        """Stop all of it in order, the daemons first; guests run on."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.stop_daemon, self.names))
            pool.submit(self.broker.stop)
            self.server.stop()

    def remove(self) -> None:
        """Leave nothing of it: no process, no folder."""
        for name in self.names:
            self.kill(name)
        if self.options.drivers == REAL:
            self._empty_hosts()
        if (self.folder / "broker").exists():
            self.broker.end()
        if (self.folder / "database").is_symlink():
            self.server.wipe()
        self.ground.remove()
        shutil.rmtree(self.folder)

    # --- one daemon ----------------------------------------------------------------------------------

    def spawn(self, name: str) -> None:
        """Start a daemon where it does not run."""
        if self.alive(name):
            return
        self._began = self._began or time.time()
        self._start(self._daemons[name], name)

    def twin(self, name: str) -> KeptProcess:
        """Start a daemon a second time, beside the one that runs."""
        twin = KeptProcess(self.folder / "run" / f"{name}.twin.pid")
        self._start(twin, name)
        return twin

    def alive(self, name: str) -> bool:
        """Whether a daemon's process lives."""
        return self.pid(name) is not None

    def pid(self, name: str) -> int | None:
        """Its process id."""
        return self._daemons[name].pid

    def kill(self, name: str) -> None:
        """End it without a word, and its children, as a power cut would."""
        self._daemons[name].end(signal.SIGKILL)

    def stop_daemon(self, name: str) -> None:
        """Ask it to end and wait until it has."""
        self._daemons[name].end(signal.SIGTERM, STOPS_WITHIN)

    def _empty_hosts(self) -> None:
        """Remove the guests and wiring of every host that was ever begun."""
        for pool in self.options.pools():
            if self.config(f"compute@{pool}").exists():
                machine.empty(load_file(self.config(f"compute@{pool}")))

    # --- inner ---------------------------------------------------------------------------------------

    def _start(self, process: KeptProcess, name: str) -> None:
        argv = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "--logger",
                "stackd.daemons.logging.to_stdout", f"stack-{kind_of(name)}", "--config", str(self.config(name))]
        process.start(self._placed(name, argv), self.log(name), cwd=self.folder)

    def _placed(self, name: str, argv: list[str]) -> list[str]:
        host = name.partition("@")[2]
        return placed(argv, self.ground.host(host).netns if host else self.ground.namespace)

    def _ended(self) -> list[str]:
        return [f"{name} has ended, see {self.log(name)}" for name in self.names if not self.alive(name)]

    def _url(self, name: str, offset: int, address: str = "") -> str:
        return f"http://{address or self.ground.address}:{self._bases[name] + offset}"

    @cached_property
    def _bases(self) -> dict[str, int]:
        """The first of the three ports of each daemon that listens."""
        path = self.folder / "ports.json"
        if not path.exists():
            path.write_bytes(orjson.dumps({name: free_base() for name in self.options.controllers()
                                           if kind_of(name) in ("api", "image")}))
        found: dict[str, int] = orjson.loads(path.read_bytes())
        return found

    def _secret(self, name: str) -> str:
        return kept(self.folder / "secrets" / name, lambda: secrets.token_urlsafe(18)).strip()

    def _start_broker(self) -> None:
        hosts = [] if self.options.hosts_per_process > 1 else self.options.pools()
        self.broker.define(everything_for(BROKER_USER, self._secret(BROKER_USER)), *(
            host_definitions(host_permissions(host), self._secret(host), secrets.token_bytes(SALT)) for host in hosts))
        self.broker.start()

    def _start_server(self) -> None:
        new = not (self.folder / "database").is_symlink()
        self.server.start()
        if new:
            self.server.create(DATABASE)

    def _write_configs(self) -> None:
        ground = self.ground
        configs = Configs(self.folder, self.options, passwords_of(self.folder)["admin"], BROKER_USER,
                          ground.external_cidr)
        facts = ControlFacts(
            database_url=self.database_url, broker_url=self._broker_url(BROKER_USER, ground.address),
            listen=ground.listen, address=ground.address,
            image_url=self.image_url, auth_url=f"{self.api_url}/identity/v3", port_bases=self._bases)
        for name in self.options.controllers():
            configs.write_control(name, facts)
        for index, (pool, number) in enumerate(self.options.pools().items()):
            user = BROKER_USER if self.options.hosts_per_process > 1 else pool
            configs.write_host(HostFacts(
                name=pool, index=index, number=number, broker_url=self._broker_url(user, ground.inner),
                image_url=self._url("image-1", 1, ground.inner) + "/image",
                auth_url=self._url("api-1", 1, ground.inner) + "/identity/v3", ground=ground.host(pool)))
            self._share_cache(pool)

    def _share_cache(self, host: str) -> None:
        """What libvirtd finds out about QEMU in seconds of work is the same for all hosts."""
        folder = self.folder / "hosts" / host / "host"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "cache").is_symlink():
            (self.folder / "cache").mkdir(exist_ok=True)
            (folder / "cache").symlink_to(self.folder / "cache")

    def _broker_url(self, user: str, address: str) -> str:
        name = user if user == BROKER_USER else host_permissions(user).user
        return self.broker.url_of(name, self._secret(user), address)

    def _bootstrap(self) -> None:
        argv = [sys.executable, "-m", "stackd.cli.main", "bootstrap", "--config", str(self.config("api-1"))]
        done = subprocess.run(placed(argv, self.ground.namespace), capture_output=True, text=True, check=False,
                              timeout=BOOTSTRAP_WITHIN)
        if done.returncode:
            raise RuntimeError(f"The cloud could not be made: {done.stderr[-3000:]}")
        for name in self.options.controllers():
            if kind_of(name) == "api" and name != "api-1":
                self._share_secrets(self.folder / name)

    def _share_secrets(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True, mode=0o700)
        for secret in SHARED_SECRETS:
            source = self.folder / secret
            if source.exists():
                kept(folder / secret, source.read_text)
