"""The operator's socket, asked by the command as a person uses it."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent

from stackd import errors
from stackd.cli.asking import SOCKET
from stackd.cli.main import main
from stackd.daemons.operator import operator_service

LIMITS = {"instances": 10, "cores": -1}


async def show(body: dict[str, Any]) -> Any:
    """The limits of one project."""
    if body["project"] != "demo":
        raise errors.NotFound("project", body["project"], remedy="Look with 'stackd project list'.")
    return LIMITS


async def projects(body: dict[str, Any]) -> Any:
    """Two projects, of which the second has no account."""
    return [{"name": "demo", "account": "1234", "enabled": True}, {"name": "z", "account": None, "enabled": False}]


async def broken(body: dict[str, Any]) -> Any:
    """A defect."""
    raise ZeroDivisionError("oops")


@pytest_twisted.async_yield_fixture
async def state(tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a cloud whose socket answers three commands."""
    (tmp_path / SOCKET).write_text("left behind by a killed process")
    service = operator_service(
        reactor, tmp_path / SOCKET, {"quota-show": show, "project-list": projects, "explain": broken})
    service.startService()
    yield tmp_path
    await service.stopService()


async def run(state: Path, *arguments: str) -> int:
    """Run the command in a thread, as it blocks."""
    status: int = await deferToThread(main, [*arguments, "--state", str(state)])
    return status


@pytest_twisted.ensureDeferred
async def test_answers_are_printed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An object as lines, as JSON when asked, a list as a table."""
    assert await run(state, "quota", "show", "demo") == 0
    assert capsys.readouterr().out == "instances  10\ncores      -1\n"
    assert await run(state, "quota", "show", "demo", "--json") == 0
    assert capsys.readouterr().out == '{\n  "instances": 10,\n  "cores": -1\n}\n'
    assert await run(state, "project", "list") == 0
    assert capsys.readouterr().out == "name  account  enabled\ndemo  1234     yes\nz     -        no\n"


@pytest_twisted.ensureDeferred
async def test_errors_say_what_to_do_next(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cloud's own error with its remedy, and exit status 1."""
    assert await run(state, "quota", "show", "nobody") == 1
    assert capsys.readouterr().err == (
        "stackd: Project nobody could not be found. Look with 'stackd project list'.\n")
    assert await run(state, "reset") == 1
    assert "no operator command 'reset'" in capsys.readouterr().err


@pytest_twisted.ensureDeferred
async def test_a_defect_is_logged_and_told(
    state: Path, capsys: pytest.CaptureFixture[str], lost_failures: list[LogEvent],
) -> None:
    """The operator gets words, the log the traceback."""
    assert await run(state, "explain", "i-1") == 1
    assert "ZeroDivisionError: oops" in capsys.readouterr().err
    assert [event["command"] for event in lost_failures] == ["explain"]
    lost_failures.clear()


@pytest_twisted.ensureDeferred
async def test_only_the_owner_may_open_the_socket(state: Path) -> None:
    """There is no other protection."""
    assert stat.S_IMODE((state / SOCKET).stat().st_mode) == 0o600


def test_no_cloud_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The remedy is right for a cloud in one process and for one of many."""
    assert main(["explain", "i-1", "--state", str(tmp_path)]) == 1
    words = capsys.readouterr().err
    assert str(tmp_path) in words and "'stackd cloud', or stack-api" in words and "--state" in words
