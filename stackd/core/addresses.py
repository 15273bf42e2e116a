"""Floating addresses, EC2's Elastic IPs: taken from the external network and led to ports."""

from stackd import errors
from stackd.core import ports as core_ports
from stackd.core.networks import owner, seen
from stackd.model import kinds
from stackd.model.addresses import FloatingIP
from stackd.model.callers import ADMIN, MEMBER, READER, Caller
from stackd.model.ids import new_id
from stackd.model.networks import FixedIP, Port
from stackd.rules import addressing, policy
from stackd.store import addresses as store
from stackd.store import events, networks, quotas
from stackd.store.database import Database, Transaction


class FloatingIPs:
    """Public addresses of projects."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller, ids: tuple[str, ...] | None = None,
                   addresses: tuple[str, ...] | None = None, port_ids: tuple[str, ...] | None = None,
                   all_projects: bool = False) -> tuple[FloatingIP, ...]:
        """The caller's addresses, newest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list floating addresses")
        project_id = None if caller.is_admin and all_projects else caller.project_id
        return await self._database.read(store.find, project_id, ids, addresses, port_ids)

    async def get(self, caller: Caller, id: str) -> FloatingIP:
        """One address; raises ``NotFound``."""
        policy.demand(caller, READER, "show floating addresses")
        return await self._database.read(_owned, caller, id)

    async def allocate(self, caller: Caller, network_id: str | None = None, address: str | None = None,
                       description: str = "", project_id: str | None = None, port_id: str | None = None,
                       fixed_ip: str | None = None) -> FloatingIP:
        """Take an address, of the first external network unless one is named, and lead it to a port if one is.

        Only admins may choose the ``address``. Raises ``QuotaExceeded``, ``NoMoreAddresses``, ``AddressInUse``,
        ``NotFound``, ``InvalidValue``.
        """
        policy.demand(caller, MEMBER, "allocate floating addresses")
        if address is not None:
            policy.demand(caller, ADMIN, "choose a floating address")
        wanted = FloatingIP(id=new_id(), project_id=owner(caller, project_id), network_id=network_id or "",
                            address="", description=description)
        return await self._database.write(_allocate, caller, wanted, address, port_id, fixed_ip)

    async def associate(self, caller: Caller, id: str, port_id: str, fixed_ip: str | None = None,
                        allow_reassociation: bool = True, displace: bool = False) -> FloatingIP:
        """Lead an address to a fixed address of a port, its first IPv4 one unless named.

        Without ``allow_reassociation`` an address that leads elsewhere is ``InUse``. With ``displace`` another
        public address of that fixed one makes way (EC2), without it the request is refused (OpenStack).
        """
        policy.demand(caller, MEMBER, "associate floating addresses")
        return await self._database.write(_associate, caller, id, port_id, fixed_ip, allow_reassociation, displace)

    async def disassociate(self, caller: Caller, id: str) -> FloatingIP:
        """Let an address lead to nothing; one that does already stays as it is."""
        policy.demand(caller, MEMBER, "disassociate floating addresses")
        return await self._database.write(_disassociate, caller, id)

    async def describe(self, caller: Caller, id: str, description: str) -> FloatingIP:
        """Set the description."""
        policy.demand(caller, MEMBER, "update floating addresses")
        return await self._database.write(_describe, caller, id, description)

    async def release(self, caller: Caller, id: str) -> None:
        """Give an address back, also while it leads to a port; raises ``NotFound``."""
        policy.demand(caller, MEMBER, "release floating addresses")
        await self._database.write(_release, caller, id)


def _owned(tx: Transaction, caller: Caller, id: str) -> FloatingIP:
    floating = store.get(tx, id)
    policy.demand_own(caller, kinds.FLOATING_IP, id, floating.project_id)
    return floating


def _external(tx: Transaction, caller: Caller, network_id: str) -> str:
    if network_id:
        if not seen(tx, caller, network_id).external:
            raise errors.InvalidValue("floating_network_id", f"network {network_id} is not external.")
        return network_id
    found = networks.external_ids(tx)
    if not found:
        raise errors.NotFound(kinds.NETWORK, "external", remedy="An administrator has to create one first.")
    return found[0]


def _allocate(tx: Transaction, caller: Caller, wanted: FloatingIP, address: str | None, port_id: str | None,
              fixed_ip: str | None) -> FloatingIP:
    limits = quotas.lock(tx, wanted.project_id)
    quotas.demand("floating_ips", limits.floating_ips, store.count(tx, wanted.project_id), 1)
    made = store.allocate(tx, FloatingIP(
        id=wanted.id, project_id=wanted.project_id, network_id=_external(tx, caller, wanted.network_id), address="",
        description=wanted.description, created_at=tx.now, updated_at=tx.now), address)
    _record(tx, caller, made, "create")
    return _associate(tx, caller, made.id, port_id, fixed_ip, True, False) if port_id else made


def _associate(tx: Transaction, caller: Caller, id: str, port_id: str, fixed_ip: str | None,
               allow_reassociation: bool, displace: bool) -> FloatingIP:
    floating = _owned(tx, caller, id)
    port = core_ports.owned(tx, caller, port_id)
    if port.project_id != floating.project_id:
        raise errors.NotFound(kinds.PORT, port_id)
    target = _target(port, fixed_ip)
    if networks.get(tx, port.network_id).physical_network:
        raise errors.InvalidValue("port_id", f"port {port_id} is on a physical network, which the cloud does not route "
                                  "for.", remedy="Name a port on a network without one.")
    if (floating.port_id, floating.fixed_ip) == (port.id, target.address):
        return floating
    if floating.port_id and not allow_reassociation:
        raise errors.InUse(kinds.FLOATING_IP, id, f"port {floating.port_id}", remedy="Disassociate it first.")
    if target.floating_ip_id:
        if not displace:
            raise errors.InUse(kinds.PORT, port_id, f"floating address {target.floating_ip}",
                               remedy="Disassociate that address first.")
        _disassociate(tx, caller, target.floating_ip_id)
    store.lead(tx, floating, port.id, target.address, port.host)
    led = store.get(tx, id)
    _record(tx, caller, led, "associate")
    return led


def _target(port: Port, fixed_ip: str | None) -> FixedIP:
    candidates = [one for one in port.fixed_ips if addressing.version(one.address) == 4]
    if fixed_ip is not None:
        candidates = [one for one in candidates if one.address == fixed_ip]
    if not candidates:
        raise errors.InvalidValue("fixed_ip_address", f"port {port.id} has no such IPv4 address.")
    return candidates[0]


def _disassociate(tx: Transaction, caller: Caller, id: str) -> FloatingIP:
    floating = _owned(tx, caller, id)
    if not floating.port_id:
        return floating
    store.lead(tx, floating, "", "", "")
    freed = store.get(tx, id)
    _record(tx, caller, freed, "disassociate")
    return freed


def _describe(tx: Transaction, caller: Caller, id: str, description: str) -> FloatingIP:
    _owned(tx, caller, id)
    store.describe(tx, id, description)
    described = store.get(tx, id)
    _record(tx, caller, described, "update")
    return described


def _release(tx: Transaction, caller: Caller, id: str) -> None:
    floating = _owned(tx, caller, id)
    store.release(tx, floating)
    _record(tx, caller, floating, "delete")


def _record(tx: Transaction, caller: Caller, floating: FloatingIP, action: str) -> None:
    events.record(tx, kinds.FLOATING_IP, floating.id, floating.project_id, action, caller.user_id,
                  caller.request_id, floating.generation, after={"address": floating.address})
