"""Free ports for servers that tests start."""

import os
import socket


def free_base() -> int:
    """Three free ports in a row, below those the kernel gives to clients; every process begins elsewhere."""
    for base in range(20000 + os.getpid() % 10000, 32000, 3):
        try:
            for port in range(base, base + 3):
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")
