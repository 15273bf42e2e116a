"""How large a simulated cloud is, and what it did; ``stackd simulate`` makes the one and shows the other."""

from attrs import frozen

from stackd.testing.lab.options import SiteOptions

FREE = -1
GONE = 300.0
"""Seconds: hosts that share two cores with all else are late, and those that stand still for a while are not gone."""


@frozen(kw_only=True)
class Plan:
    """Counts, but for ``heartbeat``, which is in seconds.

    ``launches`` are made twice: one a request while all runs, and many a request before the schedulers start, to see
    how fast they place. ``in_flight`` of them are under way when the broker is wiped.
    """

    hosts: int
    launches: int
    in_flight: int
    database: str = "postgresql"
    schedulers: int = 4
    conductors: int = 2
    apis: int = 1
    clients: int = 16
    projects: int = 1
    hosts_per_process: int = 1000
    heartbeat: float = 10.0
    idle: float = 20.0
    """Seconds for which nothing but heartbeats is measured."""
    patience: float = 1800.0
    """Seconds any part may take."""

    def site(self) -> SiteOptions:
        """The cloud of it."""
        return SiteOptions(
            database=self.database, hosts=self.hosts, schedulers=self.schedulers, conductors=self.conductors,
            apis=self.apis, hosts_per_process=max(2, self.hosts_per_process), broker_memory_mib=16_384,
            settings={"quotas": {name: FREE for name in ("instances", "cores", "ram", "ports")},
                      "hosts": {"heartbeat": self.heartbeat, "gone": GONE},
                      "scheduler": {"deadline": GONE}, "logging": {"level": "warn"}})


@frozen(kw_only=True)
class Spent:
    """What the processes of one kind used while something was measured."""

    kind: str
    processes: int
    cpu_seconds: float
    memory_mb: float
    """Resident, all of them together, at the end."""


@frozen(kw_only=True)
class Idle:
    """Nothing but heartbeats."""

    seconds: float
    fetches: float
    """Heartbeats expected in that time: of two workers a host."""
    spent: tuple[Spent, ...]


@frozen(kw_only=True)
class Storm:
    """Launches, one a request; times in seconds."""

    boots: int
    answered: float
    active: float
    """When the last one was."""
    post_p50: float
    post_p99: float
    to_active_p50: float
    """From the launch's row to ACTIVE, both by the database."""
    to_active_p99: float
    transactions: int
    messages: int
    spent: tuple[Spent, ...]

    @property
    def per_minute(self) -> float:
        """Boots a minute."""
        return 60 * self.boots / self.active


@frozen(kw_only=True)
class Wipe:
    """The broker was stopped, wiped and started; seconds since it spoke again."""

    in_flight: int
    away: float
    reconnected: float
    """Until every worker of every host had been heard of."""
    active: float
    """Until all in flight were ACTIVE."""
    spent: tuple[Spent, ...]


@frozen(kw_only=True)
class Placing:
    """Schedulers alone, hosts standing still: seconds from the first placement to the last."""

    placed: int
    schedulers: int
    seconds: float
    spent: tuple[Spent, ...]

    @property
    def per_second(self) -> float:
        """Placements a second."""
        return self.placed / self.seconds if self.seconds else 0.0


@frozen(kw_only=True)
class Findings:
    """What a run found; the last three are 0 in a cloud that keeps its promises."""

    plan: Plan
    cores: int
    ready: float
    """Seconds from the start of all daemons until every host had said hello."""
    idle: Idle
    storm: Storm
    wipe: Wipe
    placing: Placing
    overcommitted: int
    """Hosts with more than they can carry, or with other than what their instances need."""
    doubled: int
    """Guests on a host that is not their instance's, on several, or on none."""
    faulted: int
    """Instances that did not become ACTIVE."""

    @property
    def well(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not (self.overcommitted or self.doubled or self.faulted)
