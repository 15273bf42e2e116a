"""The port where a daemon is looked at: every daemon has one where it is configured, and says what it lacks."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_twisted
import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred

from stackd import errors
from stackd.daemons import machine, split
from stackd.daemons.bootstrapping import make_secrets
from stackd.daemons.hosts import HostPlace
from stackd.daemons.prefork_monitor import merged
from stackd.daemons.split import configured
from stackd.testing.ports import free_base

DAEMONS = {
    "api": ("stackd_http_requests", "stackd_database_transactions_total"),
    "compute": ('stackd_reconcile_known{worker="compute"}', 'stackd_reconcile_introduced{worker="compute"} 0.0'),
    "conductor": ('stackd_conductor_batches_total{gathered="reports"} 0.0', "stackd_database_running"),
    "image": ("stackd_http_requests", "process_resident_memory_bytes"),
    "network": ('stackd_reconcile_runs_total{worker="network"}',),
    "registry": ("process_cpu_seconds_total",),
    "scheduler": ("stackd_scheduler_placements_total 0.0", "stackd_scheduler_pending 0.0"),
}
ELSEWHERE = """
driver = "http"
url = "http://127.0.0.1:9/image"
auth_url = "http://127.0.0.1:9/identity/v3"
user = "glance"
password = "x"
project = "service"
"""
NO_BROKER = """
[bus]
driver = "amqp"
urls = ["amqp://nobody:x@127.0.0.1:9/"]
"""


@asynccontextmanager
async def running(name: str, folder: Path, more: str = "") -> AsyncIterator[tuple[int, int]]:
    """The daemon; gives the port where it is looked at, and that of the OpenStack APIs."""
    base, looked_at = free_base(), free_base()
    path = folder / "stackd.toml"
    path.write_text(f"""
[cloud]
state = "{folder}"
[database]
url = "sqlite:///{folder}/stackd.db"
[api]
port_base = {base}
[image]
folder = "{folder}/images"
{ELSEWHERE if name == "compute" else ""}
[hosts]
name = "one"
[monitor]
port = {looked_at}
{more}""")
    if name in ("api", "registry"):
        make_secrets(folder)
    service: Any = importlib.import_module(f"stackd.daemons.{name}").makeService(
        {"config": str(path), "workers": None, "state": None})
    service.startService()
    try:
        if name == "cloud":
            await service.ready
        yield looked_at, base + 1
    finally:
        await maybeDeferred(service.stopService)


async def look(port: int, path: str) -> tuple[int, bytes]:
    """Status and body."""
    response = await treq.get(f"http://127.0.0.1:{port}/{path}", persistent=False, timeout=20)
    return response.code, await response.content()


@pytest.mark.parametrize("name", DAEMONS)
@pytest_twisted.ensureDeferred
async def test_a_daemon_tells_how_it_is(name: str, tmp_path: Path) -> None:
    async with running(name, tmp_path) as (port, _):
        status, body = await look(port, "healthz")
        assert status == 200, body
        checks = orjson.loads(body)["checks"]
        assert checks["bus"] == "ok"
        assert ("hypervisor" in checks, "database" in checks) == (
            name == "compute", name in ("api", "conductor", "registry", "scheduler"))
        status, text = await look(port, "metrics")
        assert status == 200
        for part in DAEMONS[name]:
            assert part in text.decode()


@pytest_twisted.ensureDeferred
async def test_a_cloud_in_one_process_tells_of_all_of_it(tmp_path: Path) -> None:
    async with running("cloud", tmp_path, '[identity]\npassword_cost = "cheap"\n') as (port, _):
        status, body = await look(port, "healthz")
        assert (status, orjson.loads(body)["checks"]) == (200, {
            "begun": "ok", "bus": "ok", "database": "ok", "hypervisor": "ok"})
        _, text = await look(port, "metrics")
        for part in ("stackd_scheduler_placements_total", "stackd_conductor_batches_total", "stackd_reconcile_known"):
            assert part in text.decode()


@pytest_twisted.ensureDeferred
async def test_a_daemon_waits_for_what_comes_late_and_says_for_what(tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    prepare, tried_again, came = machine.prepare, Deferred[None](), []

    def prepare_with_link(*args: Any, **kwargs: Any) -> HostPlace:
        if not came:
            raise errors.TransientFailure('Cannot find device "eth1"', remedy="Name another.")
        tried_again.callback(None)
        return prepare(*args, **kwargs)

    monkeypatch.setattr(machine, "prepare", prepare_with_link)
    monkeypatch.setattr(split, "TRY_AGAIN", 0.2)
    async with running("network", tmp_path) as (port, _):
        status, body = await look(port, "healthz")
        assert (status, orjson.loads(body)["checks"]) == (503, {
            "begun": 'Not begun yet. Cannot find device "eth1" Name another.', "bus": "ok"})
        came.append("eth1")
        await tried_again.addTimeout(20, reactor)
        status, body = await look(port, "healthz")
        assert (status, orjson.loads(body)["checks"]["begun"]) == (200, "ok")


@pytest_twisted.ensureDeferred
async def test_without_a_broker_a_daemon_is_not_well_but_its_api_answers(tmp_path: Path) -> None:
    async with running("api", tmp_path, NO_BROKER) as (port, api):
        status, body = await look(port, "healthz")
        assert status == 503
        assert orjson.loads(body)["checks"] == {
            "begun": "ok", "database": "ok", "bus": "No broker is reached, or it takes no messages."}
        status, body = await look(api, "healthz")
        assert (status, orjson.loads(body)["checks"]) == (200, {"database": "ok"})
        assert (await look(api, "metrics"))[0] == 404
        assert b"stackd_bus_connected 0.0" in (await look(port, "metrics"))[1]


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "stackd.toml"
    path.write_text("[monitor]\nport = 1\n")
    assert configured({"config": str(path), "monitor": None}).monitor.port == 1
    assert configured({"config": str(path), "monitor": 2}).monitor.port == 2


def test_what_workers_show_stays_apart() -> None:
    text = '# HELP stackd_done_total Done.\n# TYPE stackd_done_total counter\nstackd_done_total{kind="a"} 3.0\n'
    assert merged({0: text, 1: text.replace("3.0", "4.0")}).decode().splitlines()[2:] == [
        'stackd_done_total{kind="a",worker="0"} 3.0', 'stackd_done_total{kind="a",worker="1"} 4.0']
