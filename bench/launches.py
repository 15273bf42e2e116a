"""Launches: how long one takes on an idle cloud, and how many a minute the cloud takes in a storm."""

import asyncio
import time
from collections.abc import Iterator

from bench.faces import ACTIVE, Ec2, OpenStack, connected
from bench.figures import Figure, percentile, say, spread
from bench.subject import Measured

CLIENTS = 16
LOOK = 0.01
"""Seconds between two looks of a client at its one new server; each costs the cloud a request."""
POLL = 0.05
PATIENCE = 900.0
BOOTS_TARGET = 10_000
IDLE_TARGET = 50
Kind = type[OpenStack] | type[Ec2]


async def until_active(api: OpenStack | Ec2) -> tuple[float, float]:
    """Launch one and look until it is active: seconds of the launch's answer, and of the whole."""
    begun = time.monotonic()
    id = await api.launch()
    answered = time.monotonic() - begun
    while await api.status(id) not in ACTIVE:
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(f"{id} did not become active")
        await asyncio.sleep(LOOK)
    return answered, time.monotonic() - begun


async def on_idle_cloud(subject: Measured, kind: Kind, times: int) -> list[Figure]:
    """One client that launches one after the other."""
    async with connected(kind, subject) as api:
        for _ in range(5):
            await until_active(api)
        before = subject.cpu()
        taken = [await until_active(api) for _ in range(times)]
        spent = subject.cpu() - before
    return [
        *spread(f"{kind.name}_post_idle", [answered for answered, _ in taken],
                "from the request of one client on an idle cloud to its answer"),
        *spread(f"{kind.name}_post_to_active_idle", [whole for _, whole in taken],
                f"from the request of one client on an idle cloud to ACTIVE, seen by asking every {1000 * LOOK:g} ms",
                target=IDLE_TARGET),
        Figure(name=f"{kind.name}_post_to_active_cpu", value=1000 * spent / times, unit="ms",
               meaning="processor time of the cloud for one launch, the client's looks included"),
    ]


async def storm(subject: Measured, kind: Kind, count: int) -> list[Figure]:
    """``count`` launches, one a request, by a few clients at once; one more client looks how long its own take."""
    left = iter(range(count))
    accepted = asyncio.Event()
    begun, before = time.monotonic(), subject.cpu()
    probe = asyncio.ensure_future(_probe(subject, kind, accepted))
    await asyncio.gather(*(_launch_all(subject, kind, left) for _ in range(CLIENTS)))
    answered = time.monotonic() - begun
    accepted.set()
    say(f"{count} launches were accepted after {answered:.1f} s")
    seen = await probe
    while unfinished := subject.unfinished():
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(f"{unfinished} of {count} are not active")
        await asyncio.sleep(POLL)
    taken, spent = time.monotonic() - begun, subject.cpu() - before
    return _storm_figures(f"{kind.name}_storm_{count}", count, answered, taken, spent, seen)


async def _launch_all(subject: Measured, kind: Kind, left: Iterator[int]) -> None:
    async with connected(kind, subject) as api:
        for _ in left:
            await api.launch()


async def _probe(subject: Measured, kind: Kind, accepted: asyncio.Event) -> list[float]:
    seen: list[float] = []
    async with connected(kind, subject) as api:
        while not accepted.is_set():
            seen.append((await until_active(api))[1])
    return seen


def _storm_figures(name: str, count: int, answered: float, taken: float, spent: float,
                   seen: list[float]) -> list[Figure]:
    figures = [
        Figure(name=f"{name}_boots", value=60 * count / taken, unit="boots/min", target=BOOTS_TARGET,
               more_is_better=True, meaning=f"{count} launches, one a request by {CLIENTS} clients, until all are "
                                            f"active on the fake hosts"),
        Figure(name=f"{name}_accepted", value=60 * count / answered, unit="requests/min",
               meaning="the same launches until all are answered"),
        Figure(name=f"{name}_cpu", value=1000 * spent / count, unit="ms",
               meaning="processor time of the cloud for each of these launches"),
    ]
    many = f"from request to ACTIVE during the storm, for one more client; {len(seen)} times"
    return figures + [
        Figure(name=f"{name}_post_to_active_{label}", value=1000 * percentile(seen, percent), unit="ms", meaning=many)
        for label, percent in (("p50", 50), ("p99", 99))]
