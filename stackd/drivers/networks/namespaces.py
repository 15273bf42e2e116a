"""Sockets in other network namespaces: made in a thread that goes there and ends; the socket stays where it was made.

The Linux bridge driver announces floating addresses this way, and daemons open the metadata service's sockets.
"""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TypeVar

NETNS = "/run/netns"
_CLONE_NEWNET = 0x40000000
_ETHERTYPE_ARP = 0x0806
T = TypeVar("T")


def within(namespace: str, make: Callable[[], T]) -> T:
    """What ``make`` returns or raises, called in a namespace by name; empty is the present one. Keep it short."""
    if not namespace:
        return make()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _enter(namespace)
            results.append(make())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=f"in-{namespace}")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def listening_socket(namespace: str, address: str, port: int, backlog: int = 128) -> socket.socket:
    """A non-blocking TCP socket that listens inside a namespace. Raises ``OSError``."""
    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.listen(backlog)
            made.setblocking(False)
        except OSError:
            made.close()
            raise
        return made

    return within(namespace, make)


def namespace_identity(namespace: str) -> tuple[int, int] | None:
    """What tells a namespace from a later one of the same name; None when there is none."""
    return _identity(f"{NETNS}/{namespace}")


def namespace_of(pid: int) -> tuple[int, int] | None:
    """The same of the namespace a process is in; None when there is no such process."""
    return _identity(f"/proc/{pid}/ns/net")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def announce(namespace: str, device: str, address: str) -> None:
    """Tell the link by gratuitous ARP that ``device`` holds an IPv4 address now. Raises ``OSError``."""
    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((device, _ETHERTYPE_ARP))
            mac = raw.getsockname()[4]
            raw.send(gratuitous_arp(mac, address))

    within(namespace, send)


def gratuitous_arp(mac: bytes, address: str) -> bytes:
    """The frame: an ARP request for one's own address, to everybody."""
    everybody, nobody = b"\xff" * 6, bytes(6)
    packed = IPv4Address(address).packed
    return (everybody + mac + struct.pack("!HHHBBH", _ETHERTYPE_ARP, 1, 0x0800, 6, 4, 1)
            + mac + packed + nobody + packed)


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"{NETNS}/{namespace}", "rb") as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
