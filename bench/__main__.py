"""``python -m bench``: figures as JSON lines on the standard output, progress on the error output."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from attrs import evolve, frozen

from bench import launches, memory, real, requests, rows, split
from bench.faces import Ec2, OpenStack
from bench.figures import Figure, say
from bench.subject import Subject

BOTH = (OpenStack, Ec2)
Figures = AsyncIterator[list[Figure]]


@frozen(kw_only=True)
class Scale:
    """How much is measured."""

    hosts: int = 100
    storms: tuple[int, ...] = (1_000, 10_000)
    many: int = 100_000
    times: int = 100
    pages: int = 15
    logins: int = 20
    seconds: float = 5.0
    boots: int = 5
    guest_image: Path = Path(".state/guest-image")


QUICK = Scale(hosts=10, storms=(1_000,), many=5_000, times=20, pages=3, logins=5, seconds=1.0, boots=1)


async def measure_memory(scale: Scale) -> Figures:
    """Idle memory."""
    with Subject(scale.hosts) as subject:
        yield await memory.idle(subject)


async def measure_requests(scale: Scale) -> Figures:
    """Tokens and rates."""
    with Subject(scale.hosts) as subject:
        yield await requests.tokens(subject, scale.logins)
        yield await requests.rates(subject, scale.seconds)


async def measure_idle(scale: Scale) -> Figures:
    """Launches on an idle cloud."""
    with Subject(scale.hosts) as subject:
        for kind in BOTH:
            yield await launches.on_idle_cloud(subject, kind, scale.times)


async def measure_storms(scale: Scale) -> Figures:
    """Storms of launches, and pages of what they leave."""
    with Subject(scale.hosts) as subject:
        for kind in BOTH:
            yield await launches.storm(subject, kind, scale.storms[0])
            for of in BOTH if kind is OpenStack else ():
                yield await requests.lists(subject, of, str(scale.storms[0]), scale.pages)
            subject.reset()
        for count in scale.storms[1:]:
            yield await launches.storm(subject, OpenStack, count)
            subject.reset()


async def measure_lists(scale: Scale) -> Figures:
    """Pages of very many."""
    with Subject(scale.hosts) as subject:
        await rows.put(subject, scale.many)
        for kind in BOTH:
            yield await requests.lists(subject, kind, str(scale.many), scale.pages)


async def measure_split(scale: Scale) -> Figures:
    """The same on separate daemons, as ratios."""
    yield await split.compared(scale.hosts, scale.storms[0], scale.times, scale.pages)


async def measure_real(scale: Scale) -> Figures:
    """The control plane's share of a real boot."""
    if real.possible():
        yield await real.share(scale.guest_image, scale.boots)


GROUPS: dict[str, Callable[[Scale], Figures]] = {
    "memory": measure_memory, "requests": measure_requests, "idle": measure_idle, "storms": measure_storms,
    "lists": measure_lists, "split": measure_split, "real": measure_real}


async def run(names: Sequence[str], scale: Scale) -> bool:
    """Measure these groups; whether all went well."""
    well = True
    for name in names:
        say(name)
        try:
            async for figures in GROUPS[name](scale):
                for figure in figures:
                    print(figure.line(), flush=True)
        except Exception as error:
            say(f"{name} failed: {error!r}")
            well = False
    return well


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status is 1 when something could not be measured; a target that is not reached is no failure."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"what to measure: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="a small scale, to see that it runs")
    parser.add_argument("--guest-image", type=Path, default=Scale().guest_image, metavar="DIR",
                        help="where the guest of 'real' is, or will be built (default: that of 'make cloud')")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.groups) - GROUPS.keys()
    if unknown:
        parser.error(f"there is no group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    scale = evolve(QUICK if chosen.quick else Scale(), guest_image=chosen.guest_image)
    well = asyncio.run(run(chosen.groups or list(GROUPS), scale))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
