"""Gives a site what its daemons need before they can start: users at the broker, configurations, first contents."""

import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from stackd.bus.amqp.users import LIMITS, SALT, host_definitions, host_permissions, queue_limits
from stackd.cli.asking import ask
from stackd.daemons.hostusers import PROJECT
from stackd.daemons.parts import KEYS_FILE
from stackd.daemons.passwords import passwords_of
from stackd.daemons.plainparts import METADATA_FILE
from stackd.daemons.secretfiles import kept
from stackd.testing.broker import everything_for
from stackd.testing.lab.configs import Configs, ControlFacts, HostFacts, ImageUser
from stackd.testing.lab.options import kind_of
from stackd.testing.lab.premises import DATABASE, Premises
from stackd.testing.processes import placed

BOOTSTRAP_WITHIN = 120.0
BROKER_USER = "stackd"
SHARED_SECRETS = (KEYS_FILE, METADATA_FILE)


def start_broker(site: Premises) -> None:
    """Start the broker with the users it is to have; pools of hosts have none of their own."""
    hosts = () if site.options.hosts_per_process > 1 else site.options.pools()
    site.broker.define(everything_for(BROKER_USER, site.secret(BROKER_USER)), _limits(),
                       *(_host_user(site, host) for host in hosts))
    site.broker.start()


def start_server(site: Premises) -> None:
    """Start the database server, and make the database of a new one."""
    site.server.start()
    made = site.server.folder / "made"
    if not made.exists():
        site.server.create(DATABASE)
        made.touch()


def write_configs(site: Premises) -> None:
    """Write the configuration of every daemon."""
    ground = site.ground
    configs = Configs(site.folder, site.options, site.bases, BROKER_USER, ground.external_cidr)
    admin = ImageUser(user="admin", project="admin", password=passwords_of(site.folder)["admin"])
    facts = ControlFacts(
        database_url=site.database_url, broker_url=_broker_url(site, BROKER_USER, ground.address), listen=ground.listen,
        address=ground.address, image_url=site.image_url, auth_url=f"{site.api_url}/identity/v3", image_user=admin)
    for name in site.options.controllers():
        configs.write_control(name, facts)
    for index, (pool, number) in enumerate(site.options.pools().items()):
        user = BROKER_USER if site.options.hosts_per_process > 1 else pool
        configs.write_host(HostFacts(
            name=pool, index=index, number=number, broker_url=_broker_url(site, user, ground.inner),
            image_url=site.url("image-1", 1, ground.inner) + "/image",
            auth_url=site.url("api-1", 1, ground.inner) + "/identity/v3", ground=ground.host(pool),
            image_user=ImageUser(user=host_permissions(pool).user, project=PROJECT,
                                 password=site.secret(f"image-{pool}"))))
        _share_cache(site, pool)


def bootstrap(site: Premises) -> None:
    """Give a new cloud its schema and first contents, as its operator would."""
    made = site.server.folder / "bootstrapped"
    if made.exists():
        return
    argv = [sys.executable, "-m", "stackd.cli.main", "bootstrap", "--config", str(site.config("api-1"))]
    done = subprocess.run(placed(argv, site.ground.namespace), capture_output=True, text=True, check=False,
                          timeout=BOOTSTRAP_WITHIN)
    if done.returncode:
        raise RuntimeError(f"The cloud could not be made: {done.stderr[-3000:]}")
    for name in site.options.controllers():
        if kind_of(name) == "api" and name != "api-1":
            _share_secrets(site.folder, site.folder / name)
    made.touch()


def register_hosts(site: Premises) -> None:
    """Make the users by which hosts read images, once; the first API must run."""
    for pool in site.options.pools():
        mark = site.server.folder / f"registered-{pool}"
        if not mark.exists():
            ask(site.folder, "host-add", {"name": pool, "password": site.secret(f"image-{pool}")})
            mark.touch()


def _limits() -> dict[str, list[Any]]:
    pattern, limits = queue_limits()
    return {"parameters": [{"component": "operator_policy", "name": "stackd-hosts", "vhost": "/", "value": {
        "pattern": pattern, "definition": limits, "apply-to": "queues", "priority": 0}}]}


def _host_user(site: Premises, host: str) -> dict[str, list[Any]]:
    made: dict[str, list[Any]] = host_definitions(
        host_permissions(host), site.secret(host), secrets.token_bytes(SALT))
    return {**made, "users": [{**user, "limits": LIMITS} for user in made["users"]]}


def _broker_url(site: Premises, user: str, address: str) -> str:
    name = user if user == BROKER_USER else host_permissions(user).user
    return site.broker.url_of(name, site.secret(user), address)


def _share_cache(site: Premises, host: str) -> None:
    """What libvirtd finds out about QEMU in seconds of work is the same for all hosts."""
    folder = site.folder / "hosts" / host / "host"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / "cache").is_symlink():
        (site.folder / "cache").mkdir(exist_ok=True)
        (folder / "cache").symlink_to(site.folder / "cache")


def _share_secrets(source: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    for secret in SHARED_SECRETS:
        kept(folder / secret, (source / secret).read_text)
