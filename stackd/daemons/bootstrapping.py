"""A new cloud's first contents: secrets, flavors, the external network, projects ``admin`` and ``demo``, client files.

``stack-cloud`` does it at each start, of a cloud of many processes ``stackd bootstrap`` does it once; doing it again
changes nothing.
"""

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from stackd.config.sections import Config
from stackd.daemons import clientfiles, seeding
from stackd.daemons.parts import KEYS_FILE, Parts
from stackd.daemons.passwords import passwords_of
from stackd.daemons.plainparts import METADATA_FILE, new_metadata_secret
from stackd.daemons.secretfiles import kept
from stackd.model.identities import Bootstrapped


def make_secrets(state: Path) -> None:
    """The secrets that daemons of one cloud share; whoever has others refuses the tokens of the rest."""
    kept(state / KEYS_FILE, lambda: Fernet.generate_key().decode())
    kept(state / METADATA_FILE, new_metadata_secret)


async def first_contents(parts: Parts) -> Bootstrapped:
    """Make what is missing; the first two projects with their users."""
    make_secrets(parts.state)
    passwords = passwords_of(parts.state)
    made = await parts.identity.bootstrap(passwords["admin"], passwords["demo"])
    await parts.database.write(seeding.seed_cloud, made.admin.project.id, parts.config.cloud.external_cidr)
    return made


def write_client_files(parts: Parts, made: Bootstrapped) -> None:
    """What clients read, in the state folder."""
    clientfiles.write_client_files(parts.state, parts.config, made.admin, made.demo, passwords_of(parts.state))


async def bootstrap(reactor: Any, config: Config) -> Bootstrapped:
    """The whole of it, from a process that does nothing else."""
    parts = Parts(reactor, config)
    parts.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        made = await first_contents(parts)
        write_client_files(parts, made)
    finally:
        await parts.stop()
    return made
