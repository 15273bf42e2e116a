"""What a project leaves behind: refuse to end one that still runs something, clear away what it merely owns.

``core.identity_projects`` calls it in the transaction that deletes a project.
"""

from sqlalchemy import delete, select

from stackd import errors
from stackd.model import kinds
from stackd.store import addresses, groups, instances, networks, quotas
from stackd.store.database import Transaction
from stackd.store.tables.cloud import quotas as quota_table
from stackd.store.tables.networks import networks as network_table


def demand_unused(tx: Transaction, project_id: str) -> None:
    """Raise ``InUse`` while the project has instances, ports or floating addresses, or hosts still undo some.

    Its quota row is locked first: nobody launches anything in it until commit.
    """
    quotas.lock(tx, project_id)
    used = instances.usage(tx, project_id)
    held = {"instances": used[0], "ports": used[3],
            "floating addresses": addresses.count(tx, project_id)}
    words = [f"{count} {name}" for name, count in held.items() if count]
    if not words and any(groups.count_ports(tx, group.id) for group in groups.find(tx, project_id)):
        words = ["ports that hosts are just removing"]
    if words:
        raise errors.InUse(kinds.PROJECT, project_id, " and ".join(words), remedy="Delete them first.")


def clear(tx: Transaction, project_id: str) -> None:
    """Delete the project's networks, security groups and quota."""
    for group in groups.find(tx, project_id):
        groups.remove(tx, group.id)
    owned = select(network_table.c.id).where(network_table.c.project_id == project_id)
    for id in tx.execute(owned).scalars().all():
        if any(networks.users(tx, id)):
            raise errors.InUse(kinds.NETWORK, id, "ports of other projects")
        networks.remove(tx, id)
    tx.execute(delete(quota_table).where(quota_table.c.project_id == project_id))
