"""The connection to libvirtd: lost ones are opened again, and libvirt's errors become ours."""

import sys
from types import ModuleType
from typing import Any

import pytest

from stackd.drivers.hypervisors.connection import HOPELESS, LOST, Connection
from stackd.errors import BadConfiguration, PermanentFailure, TransientFailure


class LibvirtError(Exception):
    """libvirt's error, with its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def get_error_code(self) -> str:
        """As libvirt's own has it."""
        return self.code


class Opened:
    """A connection that may be dead."""

    alive = True

    def isAlive(self) -> bool:
        """Whether the socket is still there."""
        return self.alive

    def close(self) -> None:
        """Nothing."""


class Library(ModuleType):
    """As much of libvirt's module as the connection uses."""

    libvirtError = LibvirtError

    def __init__(self) -> None:
        super().__init__("libvirt")
        self.opened: list[Opened] = []
        for name in (*LOST, *HOPELESS):
            setattr(self, name, name)
        self.__dict__["registerErrorHandler"] = lambda function, context: None

    def open(self, uri: str) -> Opened:
        """Another one."""
        self.opened.append(Opened())
        return self.opened[-1]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """Stands in for the real module."""
    made = Library()
    monkeypatch.setitem(sys.modules, "libvirt", made)
    return made


def test_one_connection_serves_many_verbs(library: Library) -> None:
    connection = Connection("test:///")
    assert [connection.run(lambda opened: 7), connection.run(lambda opened: 8)] == [7, 8]
    assert len(library.opened) == 1


@pytest.mark.parametrize("code", [*LOST, "any, on a dead socket"])
def test_a_verb_is_done_again_on_a_new_connection_when_the_old_one_is_lost(library: Library, code: str) -> None:
    connection = Connection("test:///")

    def verb(opened: Any) -> str:
        if opened is library.opened[0]:
            opened.alive = code in LOST
            raise LibvirtError(code)
        return "done"
    assert connection.run(verb) == "done"
    assert len(library.opened) == 2


def test_a_server_that_stays_away_is_a_passing_trouble(library: Library) -> None:
    def verb(opened: Any) -> None:
        raise LibvirtError("VIR_ERR_RPC")
    with pytest.raises(TransientFailure):
        Connection("test:///").run(verb)
    assert len(library.opened) == 2


@pytest.mark.parametrize("code", HOPELESS)
def test_a_guest_libvirt_can_never_make_is_a_lasting_one(library: Library, code: str) -> None:
    def verb(opened: Any) -> None:
        raise LibvirtError(code)
    with pytest.raises(PermanentFailure, match=code):
        Connection("test:///").run(verb)


def test_a_closed_connection_opens_again(library: Library) -> None:
    connection = Connection("test:///")
    connection.run(lambda opened: None)
    connection.close()
    connection.close()
    connection.run(lambda opened: None)
    assert len(library.opened) == 2


def test_without_the_binding_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(BadConfiguration, match=r"stackd\[libvirt\]"):
        Connection("test:///").run(lambda opened: None)
