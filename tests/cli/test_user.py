"""Passwords reach the cloud and nowhere else."""

import io
from typing import Any

import pytest

from stackd.cli import user
from stackd.cli.main import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the cloud was asked."""
    seen: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(user, "ask_and_show", lambda arguments, command, body: seen.append((command, body)) or 0)
    return seen


def test_a_new_user(asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The password comes from standard input, never from the arguments, which other users of the machine see."""
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret with blanks \nmore\n"))
    assert main(["user", "create", "ann", "--project", "demo", "--role", "reader"]) == 0
    assert asked == [("user-create", {
        "name": "ann", "email": "", "project": "demo", "role": "reader", "password": "s3cret with blanks "})]


def test_roles(asked: list[tuple[str, dict[str, Any]]]) -> None:
    """Granting and revoking name user, project and role."""
    main(["user", "revoke", "ann", "demo", "member"])
    assert asked == [("user-revoke", {"user": "ann", "project": "demo", "role": "member"})]
