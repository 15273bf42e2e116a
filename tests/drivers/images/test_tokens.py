"""The service user's token: one login at a time, renewed before the end, by clocks that need not agree."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import Clock

from stackd import errors
from stackd.config import sections
from stackd.drivers.images.asking import Answered
from stackd.drivers.images.tokens import Tokens, login_of

SECTION = sections.Image(auth_url="http://keystone/v3/", user="glance", password="s", project="service")
awaiting = pytest_twisted.ensureDeferred


class Keystone:
    """Gives numbered tokens that live for ``lifetime`` seconds of a year long ago."""

    def __init__(self, minutes: int = 60) -> None:
        self.logins: list[Any] = []
        self.gate: Deferred[None] | None = None
        self.status = 201
        self.token: Any = {"issued_at": "2001-01-01T00:00:00Z", "expires_at": f"2001-01-01T{minutes // 60:02}:"
                           f"{minutes % 60:02}:00Z"}

    async def ask(self, method: str, url: str, headers: Any, body: Any) -> Answered:
        self.logins.append((method, url, body))
        if self.gate is not None:
            await self.gate
        return Answered(status=self.status, headers={"x-subject-token": f"t{len(self.logins)}"},
                        body={"token": self.token})

    def unavailable(self, reason: str, remedy: str | None = None) -> errors.Unavailable:
        return errors.Unavailable(reason, remedy=remedy)


def tokens_of(keystone: Keystone, clock: Clock) -> Tokens:
    """On that clock."""
    return Tokens(keystone, clock, SECTION)  # type: ignore[arg-type]


@pytest.mark.parametrize(("minutes", "kept"), [(60, 55 * 60), (10, 8 * 60)])
@awaiting
async def test_a_token_is_renewed_before_its_end(minutes: int, kept: int) -> None:
    """Five minutes, or a fifth of a short life."""
    keystone, clock = Keystone(minutes), Clock()
    tokens = tokens_of(keystone, clock)
    assert await tokens.token() == "t1"
    clock.advance(kept - 1)
    assert await tokens.token() == "t1"
    clock.advance(1)
    assert await tokens.token() == "t2"


@awaiting
async def test_questions_at_once_share_a_login() -> None:
    keystone = Keystone()
    keystone.gate = Deferred()
    tokens = tokens_of(keystone, Clock())
    asked = gatherResults([ensureDeferred(tokens.token()) for _ in range(5)])
    keystone.gate.callback(None)
    assert await asked == ["t1"] * 5


@awaiting
async def test_a_token_that_was_refused_is_forgotten_once() -> None:
    """Not the one that came after it."""
    tokens = tokens_of(Keystone(), Clock())
    first = await tokens.token()
    tokens.forget(first)
    second = await tokens.token()
    tokens.forget(first)
    assert (first, second, await tokens.token()) == ("t1", "t2", "t2")


@pytest.mark.parametrize(("status", "token"), [
    (401, {}), (404, {}), (201, None), (201, {"issued_at": "soon", "expires_at": "later"})])
@awaiting
async def test_logins_that_fail_are_tried_again_with_the_next_question(status: int, token: Any) -> None:
    keystone, good = Keystone(), Keystone().token
    keystone.status, keystone.token = status, token
    tokens = tokens_of(keystone, Clock())
    with pytest.raises(errors.Unavailable):
        await tokens.token()
    keystone.status, keystone.token = 201, good
    assert await tokens.token() == "t2"


def test_what_is_sent() -> None:
    """As Keystone documents it."""
    assert login_of(SECTION) == {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "glance", "domain": {"name": "Default"}, "password": "s"}}},
        "scope": {"project": {"name": "service", "domain": {"name": "Default"}}}}}
    credential = login_of(sections.Image(application_credential_id="id", application_credential_secret="s"))
    assert credential == {"auth": {"identity": {"methods": ["application_credential"],
                                                "application_credential": {"id": "id", "secret": "s"}}}}
