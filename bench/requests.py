"""Requests: tokens, lists, and how many simple requests one core answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench.faces import COMPUTE, Ec2, OpenStack, connected
from bench.figures import Figure, spread
from bench.subject import Measured

PAGE = 1000
PAGE_TARGET = 100
CLIENTS = 8


async def timed(subject: Measured, work: Callable[[], Awaitable[object]], times: int) -> tuple[list[float], float]:
    """Seconds of each of several runs after a first one that is not counted; processor seconds of one."""
    await work()
    before, taken = subject.cpu(), []
    for _ in range(times):
        begun = time.monotonic()
        await work()
        taken.append(time.monotonic() - begun)
    return taken, (subject.cpu() - before) / times


async def tokens(subject: Measured, times: int) -> list[Figure]:
    """A login with a password, whose hash is dear on purpose, and the check of a token."""
    async with connected(OpenStack, subject) as api:
        issued, issue_cpu = await timed(subject, api.issue_token, times)
        checks, check_cpu = await timed(subject, api.check_token, 10 * times)
    return [
        *spread("token_issue", issued, "a login with a password"),
        Figure(name="token_issue_cpu", value=1000 * issue_cpu, unit="ms",
               meaning="processor time of a login; nearly all of it is argon2, dear on purpose"),
        *spread("token_check", checks, "a token checked by GET /auth/tokens"),
        Figure(name="token_check_cpu", value=1000 * check_cpu, unit="ms", meaning="processor time of a check"),
    ]


async def lists(subject: Measured, kind: type[OpenStack] | type[Ec2], rows: str, times: int) -> list[Figure]:
    """The first page of a thousand."""
    async with connected(kind, subject) as api:
        found = await api.page(PAGE)
        if found != PAGE:
            raise AssertionError(f"The page has {found} of {PAGE} instances.")
        taken, spent = await timed(subject, lambda: api.page(PAGE), times)
    what = "GET servers/detail" if kind is OpenStack else "DescribeInstances"
    return [
        *spread(f"{kind.name}_page_of_{rows}", taken, f"{what}, a page of {PAGE} of {rows} instances", PAGE_TARGET),
        Figure(name=f"{kind.name}_page_of_{rows}_cpu", value=1000 * spent, unit="ms",
               meaning="processor time of the cloud for one such page"),
    ]


async def rates(subject: Measured, seconds: float) -> list[Figure]:
    """How many simple reads a second of processor time answers, under load."""
    async with connected(OpenStack, subject) as openstack:
        server = await openstack.launch()
    async with connected(Ec2, subject) as ec2:
        instance = await ec2.launch()
    return [
        await _rate("openstack_version_rate", "GET /compute/v2.1/ (no work behind it)", subject, OpenStack,
                    lambda api: api.get(f"{COMPUTE}/"), seconds),
        await _rate("openstack_server_rate", "GET /servers/ID", subject, OpenStack,
                    lambda api: api.status(server), seconds),
        await _rate("ec2_instance_rate", "DescribeInstances of one", subject, Ec2,
                    lambda api: api.status(instance), seconds),
    ]


async def _rate(name: str, what: str, subject: Measured, kind: type[OpenStack] | type[Ec2],
                work: Callable[..., Awaitable[object]], seconds: float) -> Figure:
    done = 0

    async def client() -> None:
        nonlocal done
        async with connected(kind, subject) as api:
            await work(api)
            await ready.wait()
            while time.monotonic() < end:
                await work(api)
                done += 1

    ready = asyncio.Event()
    end = float("inf")
    clients = [asyncio.ensure_future(client()) for _ in range(CLIENTS)]
    await asyncio.sleep(0.5)
    end, before = time.monotonic() + seconds, subject.cpu()
    ready.set()
    await asyncio.gather(*clients)
    spent = subject.cpu() - before
    return Figure(name=name, value=done / spent, unit="requests/s/core",
                  meaning=f"{what} by {CLIENTS} clients, for each second of processor time; {done / seconds:.0f} a "
                          f"second of the clock")
