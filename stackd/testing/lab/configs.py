"""The configuration files of a site's daemons, one each: a host's holds nothing but what that host may know."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from stackd.config.sections import Cloud
from stackd.testing.lab.ground import HostGround
from stackd.testing.lab.options import FAKE, LISTENING, SiteOptions, kind_of

Tree = dict[str, dict[str, Any]]


@frozen(kw_only=True)
class ImageUser:
    """Who a daemon is to the image service."""

    user: str
    project: str
    password: str


@frozen(kw_only=True)
class HostFacts:
    """What is true of one pair of host processes only."""

    name: str
    index: int
    number: int = 1
    broker_url: str
    image_url: str
    auth_url: str
    image_user: ImageUser
    ground: HostGround


@frozen(kw_only=True)
class ControlFacts:
    """What is true of the control plane."""

    database_url: str
    broker_url: str
    listen: str
    address: str
    image_url: str
    auth_url: str
    image_user: ImageUser


class Configs:
    """Writes them into ``folder/conf``."""

    def __init__(self, folder: Path, options: SiteOptions, bases: Mapping[str, int], trusted: str,
                 external: str) -> None:
        """``bases`` are the ports of daemons; ``trusted`` is the control plane's user of the broker.

        ``external`` is the network of floating addresses, empty for the usual one.
        """
        self._bases = bases
        self._folder = folder
        self._options = options
        self._trusted = trusted
        self._external = {"external_cidr": external} if external else {}

    def path(self, name: str) -> Path:
        """The file of a daemon."""
        return self._folder / "conf" / f"{name}.toml"

    def write_control(self, name: str, facts: ControlFacts) -> None:
        """The file of a daemon of the control plane."""
        kind = kind_of(name)
        # The first API has the operator's socket, where the command looks for it.
        state = self._folder if name == "api-1" or kind != "api" else self._folder / name
        tree: Tree = {
            "cloud": {"state": str(state), **self._external},
            "bus": self._bus(facts.broker_url),
            "api": {"host": facts.listen, "public_host": facts.address, "port_base": self._bases[name]},
            "image": self._images(facts)}
        if kind not in LISTENING:
            tree["monitor"] = {"host": facts.address, "port": self._bases[name]}
        if kind == "image":
            tree["image"] = {"folder": str(self._folder / "images")}
        else:
            tree["database"] = {"url": facts.database_url}
        if kind == "registry":
            del tree["image"]
        if kind == "api":
            tree["api"]["workers"] = self._options.api_workers
        self._write(name, tree)

    def write_host(self, facts: HostFacts) -> None:
        """The files of both daemons of a host."""
        fake = self._options.drivers == FAKE
        # The first host of a process is in the first zone it knows.
        zones = [*Cloud().zones]
        zones = zones[facts.index % len(zones):] + zones[:facts.index % len(zones)]
        tree: Tree = {
            "cloud": {"state": str(self._folder / "hosts" / facts.name), "zones": zones, **self._external},
            "bus": {**self._bus(facts.broker_url), "trusted_users": [self._trusted]},
            "image": self._images(facts),
            "hosts": {"name": facts.name, "number": facts.number},
            "compute": {"driver": "fake" if fake else "libvirt"},
            "network": {"driver": "fake"} if fake else {
                "driver": "linuxbridge", **asdict(facts.ground)}}
        for kind in ("compute", "network"):
            name = f"{kind}@{facts.name}"
            self._write(name, {**tree, "monitor": {"port": self._bases[name]}})

    def _bus(self, url: str) -> dict[str, Any]:
        return {"driver": "amqp", "urls": [url]}

    def _images(self, facts: ControlFacts | HostFacts) -> dict[str, Any]:
        return {"driver": "http", "url": facts.image_url, "auth_url": facts.auth_url, **asdict(facts.image_user)}

    def _write(self, name: str, tree: Tree) -> None:
        usual: Tree = {"identity": {"password_cost": "cheap"}} if self._options.drivers == FAKE else {}
        whole = {**usual, **tree}
        for section, keys in self._options.settings.items():
            whole[section] = {**whole.get(section, {}), **keys}
        path = self.path(name)
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(_section(section, keys) for section, keys in whole.items()))


def _section(name: str, keys: Mapping[str, Any]) -> str:
    # JSON's texts, numbers, truths and lists of texts are TOML's.
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
