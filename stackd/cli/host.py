"""``stackd host``: gives a host its users and its configuration, takes them away, and lists hosts.

The user at the broker is made here, by ``brokering.py``; the one that reads images by the running cloud.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, urlsplit

from attrs import frozen

from stackd import errors
from stackd.bus.amqp.configured import admission
from stackd.bus.amqp.settings import Broker
from stackd.bus.amqp.users import SALT, host_definitions, host_permissions
from stackd.cli.asking import STATE_VARIABLE, add_options, ask, ask_and_show
from stackd.cli.brokering import Commands, Management, Place, Way, demand_broker
from stackd.config.loading import load_file
from stackd.config.sample import toml
from stackd.config.sections import LOCAL_IMAGES, Config

SERVICE = "service"
"""The project that the cloud's services act in."""


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser("host", help="give hosts their users and configuration, remove and list them")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listed = actions.add_parser("list", help="all hosts, and when they were last heard of")
    listed.set_defaults(config=None)
    add_options(listed)
    texts = {"add": "make a host's users and show its configuration",
             "password": "give a host new passwords and show its configuration",
             "remove": "end a host's users; it gets no more instances"}
    for action, text in texts.items():
        named = actions.add_parser(action, help=text, description=text[0].upper() + text[1:] + ".")
        named.add_argument("name", help="the host's name: lower case letters, digits, hyphens and dots")
        named.add_argument("--config", type=Path, metavar="FILE", required=True,
                           help="configuration of stack-api, which says where the broker and the image service are")
        named.add_argument("--rabbitmqctl", action="store_true",
                           help="print the broker's commands also where bus.management is configured")
        if action == "remove":
            named.add_argument("--force", action="store_true", help="also with instances on it: it never comes back")
        else:
            named.add_argument("--zone", default="", help="the host's availability zone (default: the first)")
            named.add_argument("--output", type=Path, metavar="FILE",
                               help="write the configuration to this file, readable by its owner alone; on failure the "
                                    "file stays as it was")
        add_options(named)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List, remove, or make what the host needs and show it once."""
    if arguments.action == "list":
        return ask_and_show(arguments, "host-list", {})
    config = load_file(arguments.config)
    demand_broker(config)
    place = Place(vhost=Broker.parse(config.bus.urls[0]).vhost, prefix=config.bus.prefix)
    way: Way = Commands(place) if arguments.rabbitmqctl or not config.bus.management \
        else Management(config.bus.management, place)
    state = Path(config.cloud.state) if STATE_VARIABLE not in os.environ and str(arguments.state) == ".state" \
        else arguments.state
    permissions = host_permissions(arguments.name, config.bus.prefix)
    # The broker is asked first: when it cannot be reached, nothing was changed yet.
    body = {"name": arguments.name, "at_broker": way.has(permissions.user)}
    if arguments.action == "remove":
        print(ask(state, "host-remove", {**body, "force": arguments.force}))
        way.remove(permissions.user)
        return 0
    with _shown(arguments.output) as file:
        password = secrets.token_urlsafe(24)
        images = _image_user(config, state, f"host-{arguments.action}", body)
        way.define(permissions.user, host_definitions(permissions, password, secrets.token_bytes(SALT), place.vhost))
        urls = tuple(_url(url, permissions.user, password) for url in config.bus.urls)
        file.write(host_configuration(config, arguments.name, urls, images, arguments.zone or config.cloud.zones[0]))
    return 0


@contextmanager
def _shown(output: Path | None) -> Iterator[TextIO]:
    """Where the configuration goes; a file that cannot be written is found out before anything is made."""
    from stackd.daemons.secretfiles import replacing

    if output is None:
        yield sys.stdout
        return
    try:
        with replacing(output) as file:
            yield file
    except OSError as error:
        raise errors.InvalidValue("--output", f"{output} cannot be written: {error.strerror}.") from error
    print(f"The configuration of the host, with its passwords, is in {output}.")


@frozen(kw_only=True)
class ImageUser:
    """Who the host is to the image service."""

    user: str
    password: str
    project: str


def _image_user(config: Config, state: Path, command: str, body: dict[str, Any]) -> ImageUser:
    """Made by the running cloud; where the image service is somebody else's, words how to make it."""
    wanted = ImageUser(user=host_permissions(body["name"]).user, password=secrets.token_urlsafe(24), project=SERVICE)
    try:
        ask(state, command, {**body, "password": wanted.password})
    except errors.Unavailable as error:
        if _is_own_identity(config):
            raise
        print(f"{error}\nThe host's user of the image service is still to be made, at the identity service of the "
              f"images:\n\n  openstack role create image-reader; openstack project create {SERVICE}\n"
              f"  openstack user create {wanted.user} --password-prompt   # as in [image] below\n"
              f"  openstack role add --user {wanted.user} --project {SERVICE} image-reader\n", file=sys.stderr)
    return wanted


def _is_own_identity(config: Config) -> bool:
    """Whether who reads images is known to this cloud; TLS may end before it, so scheme and port may be others."""
    from stackd.daemons.endpoints import public_url

    return config.image.driver == LOCAL_IMAGES \
        or urlsplit(config.image.auth_url).hostname == urlsplit(public_url(config)).hostname


def _url(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{where}").geturl()


def host_configuration(config: Config, name: str, urls: tuple[str, ...], images: ImageUser, zone: str) -> str:
    """What stands in a host's file, in TOML: nothing but what that host may know; no database above all."""
    from stackd.daemons.endpoints import public_url

    own = config.image.driver == LOCAL_IMAGES
    sections: dict[str, dict[str, object]] = {
        "cloud": {"region": config.cloud.region, "zones": (zone,), "external_cidr": config.cloud.external_cidr},
        "hosts": {"name": name, "heartbeat": config.hosts.heartbeat, "resync": config.hosts.resync},
        "bus": {"driver": config.bus.driver, "urls": urls, "ca_file": config.bus.ca_file, "prefix": config.bus.prefix,
                "trusted_users": tuple(sorted(admission(config.bus).trusted))},
        "compute": {"driver": "libvirt"},
        "network": {"driver": "linuxbridge", "public_link": "", "tunnel_address": "",
                    "snat_range": config.network.snat_range},
        "image": {"driver": "http", "url": f"{public_url(config)}/image" if own else config.image.url,
                  "auth_url": f"{public_url(config)}/identity/v3" if own else config.image.auth_url,
                  "user": images.user, "password": images.password, "project": images.project,
                  "ca_file": config.image.ca_file}}
    lines = [f"# The configuration of the host {name}, with its passwords: /etc/stackd/stackd.toml there, readable by",
             "# the user of its daemons alone (mode 0600). It is shown once; 'stackd host password' makes others.",
             "# Fill in what is the host's own in [network]: public_link, the interface that faces the outside,",
             "# tunnel_address, its address for the traffic between hosts, and a snat_range no other host has."]
    for title, keys in sections.items():
        lines += ["", f"[{title}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"
