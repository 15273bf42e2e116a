"""What the user of a host may do at the broker, as the broker writes it: ``stackd host add`` and the lab make users so.

Everything here is a value. A user's password is kept by the broker as a hash, and made one here, so that it need not
travel in the arguments of a command.
"""

import hashlib
import re
from base64 import b64encode
from typing import Any

from attrs import frozen

from stackd import errors
from stackd.bus.amqp.topology import LONGEST_NAME
from stackd.rules.admitting import user_of_host

SALT = 4
"""Bytes, as RabbitMQ has them."""
LIMITS = {"max-connections": 16, "max-channels": 256}
"""Of one host's user; a daemon has one connection with a handful of channels."""
NOTHING = "^$"
MOST_BYTES = 64 * 1024 * 1024
MOST_MESSAGES = 10_000
GONE_AFTER = 3_600_000
"""Milliseconds without a consumer before a queue of a host goes away, whatever was asked for when it was declared."""


@frozen(kw_only=True)
class HostPermissions:
    """The regular expressions of one host's user; ``exchange`` is the one whose keys are confined."""

    user: str
    exchange: str
    configure: str
    write: str
    read: str
    topic_write: str
    topic_read: str


def host_permissions(name: str, prefix: str = "stackd") -> HostPermissions:
    """What the host of this name may do in a cloud whose queues begin with ``prefix``.

    No two names share a queue. Raises ``InvalidValue`` for what is no plain host name.
    """
    user = user_of_host(name)
    if len(f"{prefix}.network@{name}.reports") > LONGEST_NAME:
        raise errors.InvalidValue("name", f"{name[:80]!r} is too long", remedy="Use shorter host names.")
    shared = _escaped(prefix)
    own = rf"^{shared}\.(compute|network)@{_escaped(name)}\.(calls|wakes)$"
    return HostPermissions(
        user=user, exchange=prefix, configure=own, read=own, write=rf"^({shared}|amq\.default)$", topic_read=NOTHING,
        topic_write=rf"^{shared}\.conductor\.(reports|calls)$")


def host_definitions(permissions: HostPermissions, password: str, salt: bytes, vhost: str = "/") -> dict[str, Any]:
    """RabbitMQ's definitions of the user: what ``rabbitmqctl import_definitions`` and ``/api/definitions`` take.

    A user that is there gets this password and these permissions. ``salt`` is random.
    """
    about = {"user": permissions.user, "vhost": vhost}
    return {
        "users": [{"name": permissions.user, "password_hash": hashed(password, salt), "tags": [],
                   "hashing_algorithm": "rabbit_password_hashing_sha256"}],
        "permissions": [{**about, "configure": permissions.configure, "write": permissions.write,
                         "read": permissions.read}],
        "topic_permissions": [{**about, "exchange": permissions.exchange, "write": permissions.topic_write,
                               "read": permissions.topic_read}]}


def hashed(password: str, salt: bytes) -> str:
    """A password as RabbitMQ keeps it."""
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def queue_limits(prefix: str = "stackd") -> tuple[str, dict[str, Any]]:
    """The queues of all hosts, as a regular expression, and what they are held to whoever declares them.

    For one operator policy of the virtual host: a host declares its queues itself and could leave out their bounds.
    """
    return (rf"^{_escaped(prefix)}\.(compute|network)@.*\.(calls|wakes)$",
            {"max-length": MOST_MESSAGES, "max-length-bytes": MOST_BYTES, "expires": GONE_AFTER})


def _escaped(words: str) -> str:
    # A hyphen means nothing outside of brackets; without its backslash the broker's lists are easier to read.
    return re.escape(words).replace(r"\-", "-")
