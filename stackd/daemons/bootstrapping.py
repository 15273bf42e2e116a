"""A new cloud's first contents: flavors, the external network, the projects ``admin`` and ``demo``, client files.

``stack-cloud`` does it at each start, of a cloud of many processes ``stackd bootstrap`` does it once; doing it again
changes nothing.
"""

from typing import Any

from stackd.config.sections import Config
from stackd.daemons import clientfiles, seeding
from stackd.daemons.parts import Parts
from stackd.daemons.passwords import passwords_of
from stackd.model.identities import Bootstrapped


async def first_contents(parts: Parts) -> Bootstrapped:
    """Make what is missing; the first two projects with their users."""
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
