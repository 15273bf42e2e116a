"""Writes the samples in ``conf/`` from the classes; a test compares. Run it: ``python -m stackd.config.sample``.

Without an argument it prints the whole configuration, with the name of a daemon (``api``) what that daemon reads, and
``all FOLDER`` writes all files into the folder.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import orjson
from attrs import frozen

from stackd.config.keys import DOC
from stackd.config.sections import Config

HEAD = """\
# The configuration of stackd: every key with its default. Durations are in seconds.
# Made by 'python -m stackd.config.sample'; remove the # before a key to change it.
"""
OF_DAEMON = """\
# The configuration of stack-{name}: what it reads, each key with its default. Durations are in seconds.
# Keys without a # differ in a cloud of many daemons: give them the values of yours.
# Made by 'python -m stackd.config.sample {name}'.
"""
Values = Mapping[str, Mapping[str, Any]]
"""Section -> key -> value."""

_DATABASE = {"url": "postgresql://stackd:PASSWORD@db.example/stackd"}
_BUS = {"driver": "amqp", "urls": ("amqp://stackd:PASSWORD@broker-1.example:5672/",
                                   "amqp://stackd:PASSWORD@broker-2.example:5672/")}
_HOST_BUS = {"driver": "amqp", "urls": ("amqp://stackd-host-HOST:PASSWORD@broker-1.example:5672/",
                                        "amqp://stackd-host-HOST:PASSWORD@broker-2.example:5672/"),
             "trusted_users": ("stackd",)}
_IMAGES = {"driver": "http", "url": "http://images.example:8774/image",
           "auth_url": "http://api.example:8774/identity/v3", "user": "images", "password": "PASSWORD",
           "project": "service"}
_LISTENING = {"host": "192.0.2.10", "public_host": "api.example"}
_HOST: Values = {"bus": _HOST_BUS, "image": _IMAGES, "compute": {"driver": "libvirt"},
         "network": {"driver": "linuxbridge", "public_link": "eth1", "tunnel_address": "10.0.0.11"},
         "hosts": {"name": "HOST"}}


@frozen(kw_only=True)
class Daemon:
    """What one daemon reads, and what of it is never the default where daemons are apart."""

    sections: Collection[str]
    values: Values


DAEMONS: Mapping[str, Daemon] = {
    "api": Daemon(
        sections=("cloud", "database", "bus", "api", "identity", "quotas", "network", "image", "hosts"),
        values={"cloud": {"state": "/var/lib/stack-api"}, "database": _DATABASE, "bus": _BUS,
                "api": {**_LISTENING, "workers": 0}, "image": _IMAGES, "monitor": {"port": 9780}}),
    "scheduler": Daemon(
        sections=("cloud", "database", "bus", "scheduler", "hosts"),
        values={"cloud": {"state": "/var/lib/stack-scheduler"}, "database": _DATABASE, "bus": _BUS,
                "monitor": {"port": 9781}}),
    "conductor": Daemon(
        sections=("cloud", "database", "bus", "scheduler", "hosts"),
        values={"cloud": {"state": "/var/lib/stack-conductor"}, "database": _DATABASE, "bus": _BUS,
                "monitor": {"port": 9782}}),
    "compute": Daemon(sections=("cloud", "bus", "compute", "network", "image", "hosts"),
                      values={**_HOST, "monitor": {"port": 9783}}),
    "network": Daemon(sections=("cloud", "bus", "compute", "network", "image", "hosts"),
                      values={**_HOST, "monitor": {"port": 9784}}),
    "image": Daemon(
        sections=("cloud", "bus", "api", "image"),
        values={"cloud": {"state": "/var/lib/stack-image"}, "bus": _BUS,
                "api": {"host": "192.0.2.11", "public_host": "images.example"},
                "image": {"folder": "/var/lib/stack-image/images"}, "monitor": {"port": 9785}}),
    "registry": Daemon(
        sections=("cloud", "database", "bus", "identity", "quotas"),
        values={"cloud": {"state": "/var/lib/stack-registry"}, "database": _DATABASE, "bus": _BUS,
                "monitor": {"port": 9786}}),
}
ALL_READ = ("monitor", "logging")


def render(config: Config) -> str:
    """The sample with the values of this configuration."""
    return _text(HEAD, config, [field.name for field in attrs.fields(Config)], {})


def render_daemon(name: str) -> str:
    """The sample of one daemon."""
    daemon = DAEMONS[name]
    return _text(OF_DAEMON.format(name=name), Config(), {*daemon.sections, *ALL_READ}, daemon.values)


def samples() -> dict[str, str]:
    """Every file by its name."""
    return {"stackd.toml.sample": render(Config())} | {f"{name}.toml.sample": render_daemon(name) for name in DAEMONS}


def _text(head: str, config: Config, sections: Collection[str], values: Values) -> str:
    lines = [head.rstrip()]
    for field in attrs.fields(Config):
        if field.name in sections:
            lines += ["", f"# {field.metadata[DOC]}", f"[{field.name}]",
                      *keys(getattr(config, field.name), values.get(field.name, {}))]
    return "\n".join(lines) + "\n"


def keys(section: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Each key with its words above it; those that have values here are taken."""
    for field in attrs.fields(type(section)):
        if DOC in field.metadata:
            yield f"# {field.metadata[DOC]}"
        taken = field.name in values
        value = values[field.name] if taken else getattr(section, field.name)
        yield f"{'' if taken else '#'}{field.name} = {toml(value)}"


def toml(value: Any) -> str:
    """A text, number, truth value or list of texts as TOML, which writes these as JSON does."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return orjson.dumps(value).decode()


def main(arguments: list[str]) -> None:
    """As the module's first lines say."""
    if arguments[:1] == ["all"]:
        for name, text in samples().items():
            (Path(arguments[1]) / name).write_text(text)
    else:
        print(render_daemon(arguments[0]) if arguments else render(Config()), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
