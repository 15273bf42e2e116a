"""Free ports for servers that tests start."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

LOWEST, HIGHEST = 20_000, 32_000
"""Of spans; below those the kernel gives to clients."""
LOWEST_ALONE = 10_000
"""Of single ports, which are below all spans."""
_held: list[IO[str]] = []


def free_base() -> int:
    """Three free ports in a row that no other living test process was given."""
    spans = (HIGHEST - LOWEST) // 3
    for step in range(spans):
        base = LOWEST + 3 * ((os.getpid() * 7 + step) % spans)
        if _taken(base) or not all(map(_free, range(base, base + 3))):
            continue
        return base
    raise AssertionError("no free ports")


def _taken(base: int) -> bool:
    """Whether another process holds this span; it is ours until we end otherwise."""
    folder = Path(tempfile.gettempdir()) / f"stackd-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    lock = (folder / str(base)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return True
    _held.append(lock)
    return False


def free_port(*addresses: str) -> int:
    """A port nobody listens on at these addresses; a client cannot take it while its server restarts."""
    while True:
        port = random.randint(LOWEST_ALONE, LOWEST - 1)
        if all(_free(port, address) for address in addresses or ("127.0.0.1",)):
            return port


def _free(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            return False
    return True
