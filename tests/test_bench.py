"""The bench: its figures, its HTTP client, and one real run of the smallest group."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bench.figures import Figure, percentile, rounded, spread
from bench.wire import Answer, Connection

ROOT = Path(__file__).parent.parent


def shown(**fields: object) -> dict[str, object]:
    """A figure as it is printed."""
    line = Figure(**{"name": "boots", "value": 1234.567, "unit": "boots/min", "meaning": "as it says", **fields}).line()
    assert "\n" not in line
    read: dict[str, object] = json.loads(line)
    return read


def test_a_figure_without_a_target_claims_nothing() -> None:
    """Nobody reads a success into it."""
    assert shown() == {"name": "boots", "value": 1235.0, "unit": "boots/min", "meaning": "as it says"}


@pytest.mark.parametrize(("target", "more_is_better", "reached"), [
    (1000, True, True), (2000, True, False), (1000, False, False), (2000, False, True), (1234.567, False, True)])
def test_a_target_is_reached_or_not(target: float, more_is_better: bool, reached: bool) -> None:
    """A rate must be at least its target, a time at most."""
    assert shown(target=target, more_is_better=more_is_better)["reached"] is reached


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentiles(percent: float, value: float) -> None:
    """Of a hundred values in any order."""
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_the_worst_of_few_is_their_p99() -> None:
    """With few values the p99 hides none."""
    p50, p99 = spread("launch", [0.01, 0.02, 0.9], "a launch", target=50)
    assert (p50.value, p50.reached, p99.value, p99.reached) == (20.0, True, 900.0, None)


@pytest.mark.parametrize(("value", "printed"), [(0, 0), (0.001234, 0.00123), (12.345, 12.3), (98765.4, 98765)])
def test_values_are_printed_with_what_is_certain_of_them(value: float, printed: float) -> None:
    """Three digits, and all before the point."""
    assert rounded(value) == printed


def asked(answer: bytes, ask: Callable[[Connection], Awaitable[Answer]]) -> tuple[bytes, Answer]:
    """What a server was sent, and what the client made of its answer."""
    async def both() -> tuple[bytes, Answer]:
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Connection("127.0.0.1", server.sockets[0].getsockname()[1]) as connection:
            got = await ask(connection)
        return heard[0], got

    return asyncio.run(both())


def test_requests_are_sent_and_answers_read() -> None:
    """An answer with a length."""
    heard, answer = asked(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nX-Subject-Token: t\r\n\r\nok",
                          lambda connection: connection.ask("POST", "/servers", {"X-Auth-Token": "secret"}))
    assert heard.startswith(b"POST /servers HTTP/1.1\r\n") and b"X-Auth-Token: secret\r\n" in heard
    assert (answer.status, answer.headers["x-subject-token"], answer.body) == (202, "t", b"ok")


def test_answers_in_chunks_are_put_together() -> None:
    """As Twisted sends what has no length."""
    _, answer = asked(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                      lambda connection: connection.ask("GET", "/"))
    assert answer.body == b"abcde"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bench``."""
    return subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True,
                          timeout=180, check=False)


def test_a_run_prints_one_figure_a_line() -> None:
    """A cloud of its own is brought up, measured through both APIs, and taken down."""
    done = bench("--quick", "memory", "idle")
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in map(json.loads, done.stdout.splitlines())}
    assert figures["memory_idle"]["value"] > 10
    for api in ("openstack", "ec2"):
        whole, answer = figures[f"{api}_post_to_active_idle_p50"], figures[f"{api}_post_idle_p50"]
        assert 0 < answer["value"] < whole["value"]
        assert whole["reached"] is (whole["value"] <= whole["target"])


def test_an_unknown_group_is_refused_with_those_there_are() -> None:
    """A typing error does not start an hour of work."""
    done = bench("memroy")
    assert done.returncode == 2 and "memroy" in done.stderr and "storms" in done.stderr
