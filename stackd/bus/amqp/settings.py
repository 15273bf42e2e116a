"""What can be set of the AMQP bus, and the URLs of brokers."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from stackd.errors import BadConfiguration
from stackd.interfaces.bus import LARGEST

_PORTS = {"amqp": 5672, "amqps": 5671}
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@frozen(kw_only=True)
class Broker:
    """Where one broker listens, and who we are there."""

    host: str
    port: int
    tls: bool = False
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    vhost: str = "/"

    @classmethod
    def parse(cls, url: str) -> "Broker":
        """From ``amqp://USER:PASSWORD@HOST:PORT/VHOST``, or ``amqps``; raises ``BadConfiguration``."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            parts, port = None, 0
        if parts is None or not parts.hostname or parts.query or parts.fragment:
            raise BadConfiguration("A broker's URL is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST.",
                                   remedy="Write each broker so; amqps:// for TLS, and %2F for / in names.")
        return cls(host=parts.hostname, port=port, tls=parts.scheme == "amqps",
                   user=unquote(parts.username or "guest"), password=unquote(parts.password or "guest"),
                   vhost=unquote(parts.path[1:]) or "/")


@frozen(kw_only=True)
class AmqpSettings:
    """Seconds and counts."""

    prefix: str = "stackd"
    """Begins the names of all exchanges and queues."""
    ca_file: str = ""
    """Certificates to trust in place of the system's, in PEM."""

    heartbeat: float = 15.0
    connect_within: float = 10.0
    """For TCP, TLS, login and everything until the connection is open."""
    backoff_first: float = 0.25
    backoff_most: float = 15.0

    kept: tuple[str, ...] = ("conductor", "scheduler")
    """Addresses whose queues of reports this process declares, with the exchanges; a host, whose user may not declare
    them, names none."""
    quorum: bool | None = None
    """Whether kept reports are replicated; None: where the broker offers it."""
    delivery_limit: int = 20
    """How many daemons may die of one report before a quorum queue sets it aside."""
    most_kept: int = 100_000
    """Reports kept for an address; more are refused."""
    most_kept_bytes: int = 1024 * 1024 * 1024
    most_dead: int = 10_000
    """Reports set aside; the oldest make room."""
    most_dead_bytes: int = 256 * 1024 * 1024
    most_calls: int = 10_000
    """Calls that wait at one address; the oldest make room, and nobody answers them."""
    most_calls_bytes: int = 256 * 1024 * 1024
    unserved_for: float = 60.0
    """After so long without an endpoint the queues of wakes and calls go away by themselves."""

    most_waiting: int = 10_000
    """Messages that wait for the broker in this process, of each kind; more raise ``Overloaded``."""
    confirm_within: float = 30.0
    """How long a report may wait for the broker before its sender is told that the outcome is unknown."""
    largest: int = LARGEST
    """Bytes of one message."""
    # A worker reports at most 100 words at once: 0.5 MB when each tells of a fault in 4,500 letters; drivers cut what a
    # command said at 2,000, which faults tell twice. 26,000 held guests fit as well. A host makes us hold 300 at once.
    largest_of_hosts: int = 1024 * 1024
    """Bytes of one message from a host."""

    reports_at_once: int = 200
    calls_at_once: int = 100
    tries: int = 10
    """How often a report may raise something else than ``Unavailable`` before it is set aside."""
    redeliver_first: float = 0.1
    redeliver_most: float = 15.0

    wake_pause: float = 0.02
    """Between two rounds of wakes, when sending and when receiving; equal ones collapse meanwhile."""
    most_wakes: int = 16
    """Wakes in the broker for one address; the oldest make room."""
    clock_skew: float = 5.0
    """How far the clocks of two hosts may be apart before a call counts as too late."""

    def trusted(self) -> tuple[str, ...]:
        """The certificates to trust, in PEM; none for the system's. Raises ``BadConfiguration``."""
        if not self.ca_file:
            return ()
        try:
            found = tuple(_CERTIFICATE.findall(Path(self.ca_file).read_text()))
        except (OSError, ValueError) as error:
            raise BadConfiguration(f"The bus' ca_file {self.ca_file} cannot be read: {error}.") from error
        if not found:
            raise BadConfiguration(f"There is no certificate in the bus' ca_file {self.ca_file}.",
                                   remedy="Name a file of certificates in PEM.")
        return found
