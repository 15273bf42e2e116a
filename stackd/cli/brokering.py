"""How ``stackd host`` makes users at the broker: by RabbitMQ's management API, or as commands for who may run them.

:class:`Management` does it, :class:`Commands` prints what does it; both take the same steps.
"""

import base64
import json
import shlex
import sys
import urllib.error
import urllib.request
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from attrs import frozen

from stackd import errors
from stackd.bus.amqp.users import LIMITS, queue_limits
from stackd.config.sections import MEMORY_BUS, Config

TIMEOUT = 30.0
# The administrator's password is for the broker alone, not for a proxy that the environment names.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@frozen(kw_only=True)
class Place:
    """Where the queues of this cloud are: the broker's virtual host, and how their names begin."""

    vhost: str
    prefix: str

    @property
    def policy(self) -> str:
        """The name of the operator policy of hosts' queues."""
        return f"{self.prefix}-hosts"


def demand_broker(config: Config) -> None:
    """Refuse the configuration of a cloud that needs no broker; raises ``BadConfiguration``."""
    if config.bus.driver == MEMORY_BUS:
        raise errors.BadConfiguration("The daemons of this cloud are in one process; there is no broker.",
                                      remedy='Set driver = "amqp" in [bus].')


class Way(Protocol):
    """One of the two."""

    def has(self, user: str) -> bool:
        """Whether the broker is known to have the user."""

    def define(self, user: str, definitions: dict[str, Any]) -> None:
        """Make the user, or change it; connections it has end, for they were opened with what it was."""

    def remove(self, user: str) -> None:
        """End the user and its connections; none is no error."""


class Management:
    """RabbitMQ's management API."""

    def __init__(self, url: str, place: Place) -> None:
        """``url`` is ``http://USER:PASSWORD@HOST:PORT``, of an administrator."""
        parts = urlsplit(url)
        login = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        self._headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
                         "Content-Type": "application/json"}
        self._where = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._root = self._where + parts.path.rstrip("/").removesuffix("/api") + "/api"
        self._place = place

    def has(self, user: str) -> bool:
        """One request; an administrator's, so it is found out at once whether the others will be heard."""
        return self._ask("GET", ("users", user), missing_well=True)

    def define(self, user: str, definitions: dict[str, Any]) -> None:
        """Three to five requests."""
        self._ask("POST", ("definitions",), definitions)
        for name, value in LIMITS.items():
            self._ask("PUT", ("user-limits", user, name), {"value": value})
        pattern, limits = queue_limits(self._place.prefix)
        self._ask("PUT", ("operator-policies", self._place.vhost, self._place.policy),
                  {"pattern": pattern, "definition": limits, "apply-to": "queues"})
        self._ask("DELETE", ("connections", "username", user), missing_well=True)

    def remove(self, user: str) -> None:
        """Two requests."""
        self._ask("DELETE", ("users", user), missing_well=True)
        self._ask("DELETE", ("connections", "username", user), missing_well=True)

    def _ask(self, method: str, path: tuple[str, ...], body: Any = None, missing_well: bool = False) -> bool:
        """Whether it is there."""
        url = "/".join((self._root, *(quote(part, safe="") for part in path)))
        request = urllib.request.Request(url, method=method, headers=self._headers,  # noqa: S310 - checked when loaded
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with _DIRECT.open(request, timeout=TIMEOUT):
                return True
        except urllib.error.HTTPError as error:
            if error.code == 404 and missing_well:
                return False
            remedy = "It must be an administrator's: check bus.management." if error.code in (401, 403) else None
            raise errors.Unavailable(f"RabbitMQ's management API at {self._where} refused {method} {'/'.join(path)}: "
                                     f"{error.code} {error.reason}.", remedy=remedy) from error
        except OSError as error:
            remedy = "Run 'rabbitmq-plugins enable rabbitmq_management' there, or have commands by --rabbitmqctl."
            raise errors.Unavailable(f"RabbitMQ's management API at {self._where} does not answer: {error}.",
                                     remedy=remedy) from error


class Commands:
    """``rabbitmqctl``, printed: whoever is root where the broker runs pastes it. No password is among it."""

    def __init__(self, place: Place) -> None:
        """It is printed to standard error."""
        self._place = place

    def has(self, user: str) -> bool:
        """Nobody is asked."""
        return False

    def define(self, user: str, definitions: dict[str, Any]) -> None:
        """Four commands."""
        pattern, limits = queue_limits(self._place.prefix)
        commands = (
            ("rabbitmqctl", "set_user_limits", user, json.dumps(LIMITS)),
            ("rabbitmqctl", "set_operator_policy", "--vhost", self._place.vhost, "--apply-to", "queues",
             self._place.policy, pattern, json.dumps(limits)),
            ("rabbitmqctl", "close_all_user_connections", user, "it was changed"))
        self._print("rabbitmqctl import_definitions <<'END'", json.dumps(definitions, indent=1), "END",
                    *map(shlex.join, commands))

    def remove(self, user: str) -> None:
        """One command, after which the broker ends the user's connections."""
        self._print(shlex.join(("rabbitmqctl", "delete_user", user)),
                    shlex.join(("rabbitmqctl", "close_all_user_connections", user, "it was removed")))

    def _print(self, *lines: str) -> None:
        print("Run this as root where the broker runs:\n", *lines, "", sep="\n", file=sys.stderr)
