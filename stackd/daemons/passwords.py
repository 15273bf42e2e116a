"""The first users' passwords: made once, kept in the state folder beside the client files that show them."""

import os
import secrets
from pathlib import Path

import orjson

FILE = "passwords.json"
USERS = ("admin", "demo")


def passwords_of(state: Path) -> dict[str, str]:
    """Passwords by user name; readable by the owner alone."""
    path = state / FILE
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(orjson.dumps({name: secrets.token_urlsafe(18) for name in USERS}))
    found: dict[str, str] = orjson.loads(path.read_bytes())
    return found
