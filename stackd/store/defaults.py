"""What a project and a cloud have without anybody making it: a ``default`` group, a default network, ``public``.

``core.identity`` calls :func:`new_project` in the transaction that makes a project; a new cloud calls
:func:`external` once.
"""

from collections.abc import Sequence

from sqlalchemy import select

from stackd import errors
from stackd.model.groups import SecurityGroup
from stackd.model.identities import Project
from stackd.model.ids import new_id
from stackd.model.networks import Network, Subnet
from stackd.rules import addressing, firewalls
from stackd.store import groups, networks, quotas, subnets
from stackd.store.database import Transaction
from stackd.store.tables.networks import networks as table
from stackd.store.tables.networks import security_groups as groups_table

NETWORK = "default"
EXTERNAL = "public"


def new_project(tx: Transaction, project: Project, zones: Sequence[str], default_cidr: str,
                mtu: int = 1450) -> Network:
    """Give a project its ``default`` group, and a default network with one subnet per zone out of ``default_cidr``."""
    default_group(tx, project.id)
    network = networks.add(tx, Network(id=new_id(), project_id=project.id, name=NETWORK, is_default=True, mtu=mtu,
                                       created_at=tx.now, updated_at=tx.now))
    subnets.add(tx, [_subnet(tx, network, f"{NETWORK}-{zone}", cidr, zone)
                     for zone, cidr in zip(zones, addressing.slices(default_cidr, len(zones)), strict=True)])
    return networks.get(tx, network.id)


def default_group(tx: Transaction, project_id: str) -> SecurityGroup:
    """The ``default`` group of a project: all egress, and ingress from its own members; made when it is missing."""
    found = groups.find(tx, project_id, names=(groups.DEFAULT,))
    if found:
        return found[-1]
    id = new_id()
    rules = firewalls.default_rules(id, project_id, new_id, tx.now, from_itself=True)
    return groups.add(tx, SecurityGroup(id=id, project_id=project_id, name=groups.DEFAULT, rules=rules,
                                        description="Default security group", created_at=tx.now, updated_at=tx.now))


def of_project(tx: Transaction, project_id: str) -> tuple[str | None, str | None]:
    """The ids of a project's default network and of its ``default`` group, each None where it has none."""
    network = select(table.c.id).where(
        table.c.project_id == project_id, table.c.is_default, table.c.deleted.is_(False)).order_by(
        table.c.created_at, table.c.id).limit(1)
    group = select(groups_table.c.id).where(
        groups_table.c.project_id == project_id, groups_table.c.name == groups.DEFAULT).order_by(
        groups_table.c.created_at, groups_table.c.id).limit(1)
    row = tx.execute(select(network.scalar_subquery(), group.scalar_subquery())).one()
    return row[0], row[1]


def demand(kind: str, id: str | None) -> str:
    """What :func:`of_project` found of a kind; raises ``NotFound``."""
    if id is None:
        raise errors.NotFound(kind, NETWORK, remedy=f"Name a {kind.replace('_', ' ')}; the project has no default one.")
    return id


def external(tx: Transaction, admin_project_id: str, cidr: str) -> Network:
    """The external network ``public``, whose addresses are floating ones; made once, also by many at once."""
    quotas.lock(tx, admin_project_id)
    id = tx.execute(select(table.c.id).where(table.c.external, table.c.name == EXTERNAL)).scalars().first()
    if id is not None:
        return networks.get(tx, id)
    network = networks.add(tx, Network(id=new_id(), project_id=admin_project_id, name=EXTERNAL, external=True,
                                       mtu=1500, created_at=tx.now, updated_at=tx.now))
    subnets.add(tx, [_subnet(tx, network, EXTERNAL, cidr, "", dhcp=False)])
    return networks.get(tx, network.id)


def _subnet(tx: Transaction, network: Network, name: str, cidr: str, zone: str, dhcp: bool = True) -> Subnet:
    gateway = addressing.first_address(cidr)
    return Subnet(id=new_id(), project_id=network.project_id, network_id=network.id, name=name, cidr=cidr,
                  gateway_ip=gateway, dhcp=dhcp, pools=addressing.default_pools(cidr, gateway),
                  zone=zone, created_at=tx.now, updated_at=tx.now)
