"""Passwords and secrets, hashed: argon2id in a thread for what people choose, SHA-256 for what we made at random."""

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stackd.store.executors import Executor

_FAST = "sha256$"
MAX_PASSWORD = 4096


def password_hasher() -> PasswordHasher:
    """argon2id with 19 MiB, two passes, one lane: about 50 ms of one core."""
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class Passwords:
    """Hashes and verifies; the work runs in threads because it is slow on purpose."""

    def __init__(self, threads: Executor, hasher: PasswordHasher) -> None:
        """``hasher`` sets the cost; tests take a cheap one."""
        self._threads = threads
        self._hasher = hasher

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        return await self._threads.run(self._hasher.hash, password)

    async def matches(self, kept: str, password: str) -> bool:
        """Whether ``password`` is the one; an empty hash takes the same time and matches nothing."""
        if kept.startswith(_FAST):
            return hmac.compare_digest(kept, fast_hash(password))
        return await self._threads.run(self._matches, kept, password)

    def _matches(self, kept: str, password: str) -> bool:
        if not kept:
            self._hasher.hash(password)  # an unknown user must cost what a known one costs
            return False
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def fast_hash(secret: str) -> str:
    """The hash of a secret with 256 bits of chance in it, which needs no slow one."""
    return _FAST + hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """256 random bits as hex digits."""
    return secrets.token_hex(32)
