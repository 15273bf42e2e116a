"""The first users' passwords: made once, kept in the state folder beside the client files that show them."""

import secrets
from pathlib import Path

import orjson

from stackd.daemons.secretfiles import kept

FILE = "passwords.json"
USERS = ("admin", "demo")


def passwords_of(state: Path) -> dict[str, str]:
    """Passwords by user name; readable by the owner alone."""
    text = kept(state / FILE, lambda: orjson.dumps({name: secrets.token_urlsafe(18) for name in USERS}).decode())
    found: dict[str, str] = orjson.loads(text)
    return found
