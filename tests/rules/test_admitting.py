"""Hosts speak of themselves alone; who does not say who it is says nothing."""

from typing import Any

import pytest

from stackd import errors
from stackd.rules.admitting import Admission, host_of_user, is_plain_host, user_of_host

ADMISSION = Admission(("stackd", "scheduler-east"))
EVERYWHERE = ("conductor", "scheduler", "registry", "compute@web", "network@web", "compute@web-1")
EVERYTHING = ("hello", "fetch", "user_data", "report", "console_output", "image.delete", "caller.of_token", "wake")


def admitted(user: str, address: str, word: str, body: dict[str, Any], admission: Admission = ADMISSION) -> bool:
    try:
        admission(user, address, word, body)
    except errors.NotAllowed:
        return False
    return True


@pytest.mark.parametrize("word", EVERYTHING)
@pytest.mark.parametrize("address", EVERYWHERE)
def test_who_may_say_what(address: str, word: str) -> None:
    own, foreign = {"host": "web"}, {"host": "web-1"}
    assert admitted("stackd", address, word, {}) and admitted("scheduler-east", address, word, foreign)
    assert not admitted("", address, word, own)
    assert not admitted("guest", address, word, own)
    may = address == "conductor" and word in ("hello", "fetch", "user_data", "report")
    assert admitted("stackd-host-web", address, word, own) is may
    assert admitted("stackd-host-web-1", address, word, foreign) is may
    assert not admitted("stackd-host-web", address, word, foreign)
    assert not admitted("stackd-host-web-1", address, word, own)
    assert not admitted("stackd-host-web", address, word, {})


@pytest.mark.parametrize("claimed", [None, 3, ["web"], {"web": 1}, "WEB", "web ", "web\n", "web.", ""])
def test_a_host_says_its_name_as_it_is(claimed: Any) -> None:
    assert not admitted("stackd-host-web", "conductor", "report", {"host": claimed})


def test_a_host_is_never_trusted() -> None:
    admission = Admission(("stackd-host-web", "stackd-host-", "", "stackd"))
    assert admission.trusted == {"stackd"}
    assert not admitted("stackd-host-web", "compute@web", "console_output", {}, admission)
    assert not admitted("", "compute@web", "console_output", {}, admission)
    assert admitted("stackd", "compute@web", "console_output", {}, admission)


@pytest.mark.parametrize("name", ["web", "web-1", "a.b", "0", "host-1.rack-2.example.org", "x" * 200])
def test_plain_names_of_hosts(name: str) -> None:
    assert is_plain_host(name)
    assert host_of_user(user_of_host(name)) == name


@pytest.mark.parametrize("name", [
    "", "Web", "web ", " web", "web\n", "we b", "-web", "web-", ".web", "web.", "a..b", "a.-b", "*", "#", "web|x", ".*",
    "a@b", "w_b", "wéb", "web\x00", "(a)", "$", "a/b", "\u0661", "x" * 201])
def test_what_is_no_plain_name(name: str) -> None:
    assert not is_plain_host(name)
    assert host_of_user(f"stackd-host-{name}") == ""
    with pytest.raises(errors.InvalidValue, match="plain host name"):
        user_of_host(name)


def test_a_refusal_says_who_and_what() -> None:
    with pytest.raises(errors.NotAllowed, match="The host web may not speak for 'db'"):
        ADMISSION("stackd-host-web", "conductor", "report", {"host": "db"})
    with pytest.raises(errors.NotAllowed, match="trusted_users"):
        ADMISSION("", "registry", "image.list", {})
