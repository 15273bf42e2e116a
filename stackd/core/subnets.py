"""Subnets as both APIs see them: prefixes on networks, from which ports take their addresses."""

from typing import Any

from attrs import evolve

from stackd import errors
from stackd.core.networks import given, owned, owner, rewire, seen
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.ids import new_id
from stackd.model.network_requests import NewSubnet, SubnetChange
from stackd.model.networks import Subnet
from stackd.rules import addressing, policy
from stackd.store import events, networks, quotas
from stackd.store import subnets as store
from stackd.store.database import Database, Transaction

MOST_RESOLVERS = 5
_WIRED = frozenset({"gateway_ip", "dhcp", "dns", "pools"})


class Subnets:
    """Prefixes; who sees the network sees its subnets."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller, ids: tuple[str, ...] | None = None,
                   all_projects: bool = False) -> tuple[Subnet, ...]:
        """The subnets of the networks the caller sees, newest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list subnets")
        return await self._database.read(_list, caller, ids, caller.is_admin and all_projects)

    async def get(self, caller: Caller, id: str) -> Subnet:
        """One subnet the caller may see; raises ``NotFound``."""
        policy.demand(caller, READER, "show subnets")
        return await self._database.read(_seen, caller, id)

    async def create(self, caller: Caller, request: NewSubnet) -> Subnet:
        """Make a subnet on a network of one's own; raises ``InvalidValue``, ``QuotaExceeded``, ``NotFound``."""
        policy.demand(caller, MEMBER, "create subnets")
        return await self._database.write(_create, caller, owner(caller, request.project_id), request)

    async def update(self, caller: Caller, id: str, change: SubnetChange) -> Subnet:
        """Change a subnet of one's own; raises ``NotFound``, ``InvalidValue``."""
        policy.demand(caller, MEMBER, "update subnets")
        return await self._database.write(_update, caller, id, given(change))

    async def delete(self, caller: Caller, id: str) -> None:
        """Delete a subnet of one's own; raises ``NotFound``, ``InUse``."""
        policy.demand(caller, MEMBER, "delete subnets")
        await self._database.write(_delete, caller, id)

    async def in_use(self, caller: Caller, ids: tuple[str, ...]) -> dict[str, int]:
        """Subnet id -> addresses in use; for availability reports and EC2's count of free addresses."""
        policy.demand(caller, READER, "list subnets")
        return await self._database.read(store.in_use, ids)


def _list(tx: Transaction, caller: Caller, ids: tuple[str, ...] | None, everything: bool) -> tuple[Subnet, ...]:
    visible = networks.visible(tx, caller.project_id, everything)
    found = store.of_networks(tx, [network.id for network in visible])
    return tuple(sorted((subnet for subnet in found if ids is None or subnet.id in ids),
                        key=lambda subnet: (-subnet.created_at, subnet.id)))


def _seen(tx: Transaction, caller: Caller, id: str) -> Subnet:
    subnet = store.get(tx, id)
    try:
        seen(tx, caller, subnet.network_id)
    except errors.NotFound:
        raise errors.NotFound(kinds.SUBNET, id) from None
    return subnet


def _owned(tx: Transaction, caller: Caller, id: str) -> Subnet:
    subnet = _seen(tx, caller, id)
    owned(tx, caller, subnet.network_id)
    return subnet


def _checked(subnet: Subnet) -> Subnet:
    """The subnet with every address in canonical form; raises ``InvalidValue``."""
    gateway = addressing.canonical(subnet.gateway_ip, "gateway_ip") if subnet.gateway_ip else ""
    if gateway:
        addressing.check_gateway(subnet.cidr, gateway)
    if len(subnet.dns) > MOST_RESOLVERS:
        raise errors.InvalidValue("dns_nameservers", f"more than {MOST_RESOLVERS} are not allowed.")
    dns = tuple(addressing.canonical(one, "dns_nameservers") for one in subnet.dns)
    if len(set(dns)) != len(dns):
        raise errors.InvalidValue("dns_nameservers", "an address is given twice.")
    addressing.check_pools(subnet.cidr, gateway, subnet.pools)
    return evolve(subnet, gateway_ip=gateway, dns=dns)


def _create(tx: Transaction, caller: Caller, project_id: str, request: NewSubnet) -> Subnet:
    limits = quotas.lock(tx, project_id)
    quotas.demand("subnets", limits.subnets, store.count(tx, project_id), 1)
    # The quota rows of two projects do not stand between them: an administrator may add subnets for either.
    store.hold_network(tx, request.network_id)
    network = owned(tx, caller, request.network_id)
    cidr = str(addressing.subnet_prefix(request.cidr, request.ip_version))
    others = [other.cidr for other in store.of_networks(tx, [network.id])]
    if (clash := addressing.overlapping(cidr, others)) is not None:
        raise errors.InvalidValue("cidr", f"{cidr} overlaps with {clash}, another subnet of the network.")
    gateway = addressing.first_address(cidr) if request.gateway_ip is None else request.gateway_ip
    pools = addressing.default_pools(cidr, gateway) if request.pools is None else request.pools
    subnet = _checked(Subnet(
        id=new_id(), project_id=project_id, network_id=network.id, name=request.name,
        description=request.description, cidr=cidr, ip_version=request.ip_version, gateway_ip=gateway,
        dhcp=request.dhcp, pools=pools, dns=request.dns, zone=request.zone, created_at=tx.now, updated_at=tx.now))
    store.add(tx, [subnet])
    rewire(tx, network.id)
    _record(tx, caller, subnet, "create")
    return subnet


def _update(tx: Transaction, caller: Caller, id: str, values: dict[str, Any]) -> Subnet:
    checked = _checked(evolve(_owned(tx, caller, id), **values))
    changed = store.change(tx, id, {name: getattr(checked, name) for name in values})
    if _WIRED & values.keys():
        rewire(tx, changed.network_id)
    _record(tx, caller, changed, "update")
    return changed


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    subnet = _owned(tx, caller, id)
    if used := store.in_use(tx, [id]).get(id):
        raise errors.InUse(kinds.SUBNET, id, f"{used} addresses")
    store.remove(tx, id)
    rewire(tx, subnet.network_id)
    _record(tx, caller, subnet, "delete")


def _record(tx: Transaction, caller: Caller, subnet: Subnet, action: str) -> None:
    events.record(tx, kinds.SUBNET, subnet.id, subnet.project_id, action, caller.user_id, caller.request_id)
