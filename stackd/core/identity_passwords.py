"""Passwords and the secrets of application credentials, hashed by argon2id in a thread."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stackd.store.executors import Executor

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
        return await self._threads.run(self._matches, kept, password)

    def _matches(self, kept: str, password: str) -> bool:
        if not kept:
            self._hasher.hash(password)  # an unknown user must cost what a known one costs
            return False
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def new_secret() -> str:
    """256 random bits as hex digits."""
    return secrets.token_hex(32)
