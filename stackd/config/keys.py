"""How a key of the configuration is declared: its default, its words, and what values it takes.

``sections.py`` declares with it; ``loading.py`` and ``sample.py`` read the declarations back.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

import attrs

from stackd.config.physical import physical_links, vlan_ranges

Check = Callable[[Any], str]
"""Gives what is allowed, in words, when the value is not; empty when it is well."""

DOC = "doc"
CHECK = "check"


def key(default: Any, doc: str, check: Check | None = None, *, secret: bool = False) -> Any:
    """A key with its default, words for the sample, and a check of its value; a secret one is never shown in logs."""
    converter = tuple if isinstance(default, tuple) else None
    return attrs.field(default=default, converter=converter, repr=not secret, metadata={DOC: doc, CHECK: check})


def section(record: type, doc: str, check: Check | None = None) -> Any:
    """A section; ``check`` is for those of its keys that have none of their own."""
    return attrs.field(factory=record, metadata={DOC: doc, CHECK: check})


def between(low: float, high: float) -> Check:
    """A number within both bounds."""
    return lambda value: "" if low <= value <= high else f"a number from {low} to {high}"


def at_least(low: float) -> Check:
    """A number not below."""
    return lambda value: "" if value >= low else f"{low} or more"


def one_of(*words: str) -> Check:
    """One of these words."""
    return lambda value: "" if value in words else "one of " + ", ".join(words)


def filled(value: Any) -> str:
    """Not empty."""
    return "" if value else "not empty"


def distinct(value: tuple[str, ...]) -> str:
    """At least one word, none twice."""
    return "" if value and len(set(value)) == len(value) and all(value) else "one or more words, each once"


def cidr(value: str) -> str:
    """An IPv4 network such as 203.0.113.0/24."""
    try:
        ipaddress.IPv4Network(value)
    except ValueError as error:
        return f"an IPv4 network such as 203.0.113.0/24 ({error})"
    return ""


def address(value: str) -> str:
    """An IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "an IP address"
    return ""


def tunnel(value: str) -> str:
    """An IPv4 address, or nothing."""
    return "" if not value or (not address(value) and ":" not in value) else "an IPv4 address, or empty"


def ranges(value: tuple[str, ...]) -> str:
    """Physical networks, each with a range of VLAN ids or none."""
    try:
        vlan_ranges(value)
    except ValueError as error:
        return f"NAME:FIRST:LAST or NAME, each name once ({error})"
    return ""


def links(value: tuple[str, ...]) -> str:
    """Physical networks and the interfaces that lead to them."""
    try:
        physical_links(value)
    except ValueError as error:
        return f"NAME:INTERFACE, each once ({error})"
    return ""


def url(value: str) -> str:
    """Something with a scheme."""
    return "" if "://" in value else "a URL such as sqlite:////var/lib/stackd/stackd.db"


def brokers(value: tuple[str, ...]) -> str:
    """At least one URL of AMQP."""
    well = value and all(one.startswith(("amqp://", "amqps://")) for one in value)
    return "" if well else "one or more URLs such as amqp://USER:PASSWORD@HOST:5672/"


def web(value: str) -> str:
    """Something with http or https, or nothing."""
    return "" if not value or value.startswith(("http://", "https://")) else "a URL such as http://10.0.0.1:8774/image"
