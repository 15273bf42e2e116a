"""Who may say what over the bus: asked before a report or call, or a wake, reaches what serves an address.

A broker's permissions end at the default exchange, by which every user answers calls and could put messages into any
queue. So each message is judged once more where it arrives, by the user for whom the broker vouches: those of the
control plane are trusted, a host speaks to the conductor and of itself alone, and everybody else is refused, also who
does not say who it is. ``bus/amqp`` asks, and makes the :class:`Admission` of each process from its configuration.
"""

import re
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from stackd import errors
from stackd.rules.ownership import CONDUCTOR

HOST_USER = "stackd-host-"
"""Begins the name that each host has at the broker."""
MOST_NAME = 200
"""Letters of a host's name; AMQP ends names of queues at 255."""
WORDS_OF_HOSTS = frozenset({"hello", "fetch", "user_data", "report"})
"""What a host says to the conductor; each of them names the host."""
# Lower case alone: databases that take a and A for one must not take two hosts for one.
_PLAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_TO_OPERATOR = "A host speaks of itself alone, to the conductor: compare [hosts] name with its user in [bus] urls."


def is_plain_host(name: str) -> bool:
    """Whether it is a host's name as the domain name system has them, in lower case."""
    return len(name) <= MOST_NAME and _PLAIN.fullmatch(name) is not None


def user_of_host(name: str) -> str:
    """A host's user at the broker; raises ``InvalidValue`` for what is no plain name of a host."""
    if not is_plain_host(name):
        raise errors.InvalidValue("name", f"{name[:80]!r} is no plain host name",
                                  remedy="Use lower case letters, digits, hyphens and dots, such as web-1.example.")
    return HOST_USER + name


def host_of_user(user: str) -> str:
    """The host whose user this is; empty when it is none."""
    name = user.removeprefix(HOST_USER)
    return name if name != user and is_plain_host(name) else ""


def _control_plane(users: Iterable[str]) -> frozenset[str]:
    return frozenset(user for user in users if user and not user.startswith(HOST_USER))


@frozen
class Admission:
    """One process' judgement; ``trusted`` are the users of the control plane.

    A user of a host is never trusted, also where a host's own configuration names no other.
    """

    trusted: frozenset[str] = field(converter=_control_plane)

    def __call__(self, user: str, address: str, word: str, body: dict[str, Any]) -> None:
        """Raise ``NotAllowed`` when this user may not say this word to the address; ``body`` is what it says."""
        if user in self.trusted:
            return
        host = host_of_user(user)
        if not host:
            who = f"The user {user[:80]!r}" if user else "Who does not say who it is"
            raise errors.NotAllowed(f"{who} may say nothing to {address}.",
                                    remedy="Name the users of the control plane as trusted_users in [bus].")
        if address != CONDUCTOR or word not in WORDS_OF_HOSTS:
            raise errors.NotAllowed(f"The host {host} may not say {word[:80]} to {address}.", remedy=_TO_OPERATOR)
        if body.get("host") != host:
            raise errors.NotAllowed(f"The host {host} may not speak for {str(body.get('host'))[:80]!r}.",
                                    remedy=_TO_OPERATOR)
