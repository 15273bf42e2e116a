"""The shovel as the monkey has it: its user at the broker, and its process."""

import os
import secrets
import signal
import sys

import orjson

from stackd.testing.broker import everything_for
from stackd.testing.lab.site import Site
from stackd.testing.processes import KeptProcess

USER = "chaos"
PORTION = 0.3
PREFIX = "stackd"
URL = "STACKD_SHOVEL"
IMPERSONATOR = "impersonator"
"""RabbitMQ's word for a user who may publish in the name of others."""


class Doubling:
    """Messages of a site come twice, late and out of order while this is on."""

    def __init__(self, site: Site) -> None:
        """Makes the user; a broker that is wiped knows it again when it starts."""
        self._site = site
        self._password = secrets.token_urlsafe(18)
        self._process = KeptProcess(site.folder / "run" / "shovel.pid")
        definitions = everything_for(USER, self._password)
        definitions["users"][0]["tags"] = [IMPERSONATOR]
        path = site.broker.folder / "definitions.json"
        whole = orjson.loads(path.read_bytes())
        for kind, values in definitions.items():
            kept = [value for value in whole[kind] if USER not in (value.get("name"), value.get("user"))]
            whole[kind] = kept + values
        path.write_bytes(orjson.dumps(whole))
        site.broker.control("import_definitions", str(path))

    def begin(self) -> str:
        """From now on."""
        url = self._site.broker.url_of(USER, self._password)
        self._process.start([sys.executable, "-m", "stackd.testing.chaos.shovel", PREFIX, str(PORTION)],
                            self._site.log("shovel"), os.environ | {URL: url})
        return f"{PORTION:.0%} of all messages"

    def end(self) -> None:
        """No more."""
        self._process.end(signal.SIGKILL)
