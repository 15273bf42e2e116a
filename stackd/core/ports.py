"""Ports as both APIs see them. Those of instances are made and ended by their instances; here they are shown, and
users make their own to plug in later.
"""

import re
from typing import Any

from stackd import errors
from stackd.core.networks import given, owner, seen
from stackd.model import kinds
from stackd.model.callers import ADMIN, MEMBER, READER, Caller
from stackd.model.network_requests import NewPort, PortChange
from stackd.model.networks import Network, Port
from stackd.rules import policy
from stackd.store import defaults, events, groups, networks, quotas
from stackd.store import ports as store
from stackd.store.database import Database, Transaction

_INSTANCE = re.compile(r"[0-9a-f]{32}")
_MAC = re.compile(r"(?!01)[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_PLAIN = ("name", "description", "admin_state_up", "port_security", "device_id", "device_owner")
_WIRED = frozenset({"admin_state_up", "port_security"})


class Ports:
    """Network interfaces."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller, ids: tuple[str, ...] | None = None,
                   device_ids: tuple[str, ...] | None = None, network_ids: tuple[str, ...] | None = None,
                   all_projects: bool = False) -> tuple[Port, ...]:
        """The caller's ports, newest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list ports")
        project_id = None if caller.is_admin and all_projects else caller.project_id
        query = store.PortQuery(project_id=project_id, ids=ids, device_ids=device_ids, network_ids=network_ids)
        return await self._database.read(store.find, query)

    async def get(self, caller: Caller, id: str) -> Port:
        """One port; raises ``NotFound``."""
        policy.demand(caller, READER, "show ports")
        return await self._database.read(owned, caller, id)

    async def create(self, caller: Caller, *requests: NewPort) -> tuple[Port, ...]:
        """Make ports, all or none; raises ``QuotaExceeded``, ``NotFound``, ``AddressInUse``, ``NoMoreAddresses``."""
        policy.demand(caller, MEMBER, "create ports")
        for request in requests:
            _check_device(caller, request.device_id, request.device_owner)
            if request.mac is not None:
                policy.demand(caller, ADMIN, "choose hardware addresses")
                if not _MAC.fullmatch(request.mac):
                    raise errors.InvalidValue("mac_address", f"'{request.mac}' is no unicast hardware address.")
        return await self._database.write(_create, caller, requests)

    async def update(self, caller: Caller, id: str, change: PortChange) -> Port:
        """Change a port; raises ``NotFound``, ``InUse``, ``ConflictingValues``, ``NotAllowed``."""
        policy.demand(caller, MEMBER, "update ports")
        _check_device(caller, change.device_id or "", change.device_owner or "")
        return await self._database.write(_update, caller, id, given(change))

    async def delete(self, caller: Caller, id: str) -> None:
        """Delete a port; raises ``NotFound``, and ``InUse`` while an instance has it."""
        policy.demand(caller, MEMBER, "delete ports")
        await self._database.write(_delete, caller, id)


def owned(tx: Transaction, caller: Caller, id: str) -> Port:
    """A port the caller may see; raises ``NotFound``."""
    port = store.get(tx, id)
    policy.demand_own(caller, kinds.PORT, id, port.project_id)
    return port


def of_instance(port: Port) -> bool:
    """Whether an instance has this port; what users write into ``device_id`` never looks like one of our ids."""
    return bool(_INSTANCE.fullmatch(port.device_id))


def _check_device(caller: Caller, device_id: str, device_owner: str) -> None:
    # Else a user could push a port into an instance of somebody else.
    if _INSTANCE.fullmatch(device_id):
        raise errors.InvalidValue("device_id", "an instance takes a port at its launch.",
                                  remedy="Name the port when you launch the instance.")
    if device_owner.startswith("network:"):
        policy.demand(caller, ADMIN, "make ports of the network itself")


def _create(tx: Transaction, caller: Caller, requests: tuple[NewPort, ...]) -> tuple[Port, ...]:
    asks = []
    for project_id in sorted({owner(caller, request.project_id) for request in requests}):
        limits = quotas.lock(tx, project_id)
        wanted = sum(owner(caller, request.project_id) == project_id for request in requests)
        quotas.demand("ports", limits.ports, store.count(tx, project_id), wanted)
    for request in requests:
        asks.append(_ask(tx, caller, request))
    made = store.create(tx, asks)
    for port in made:
        _record(tx, caller, port, "create")
    return made


def _ask(tx: Transaction, caller: Caller, request: NewPort) -> store.PortAsk:
    project_id = owner(caller, request.project_id)
    network = seen(tx, caller, request.network_id)
    if network.external:
        raise errors.NotSupported("Ports cannot be made on an external network.",
                                  remedy="Make the port on another network and associate a floating IP with it.")
    group_ids = request.group_ids
    if not request.port_security:
        _demand_trust(caller, network)
        if group_ids:
            raise errors.ConflictingValues("A port without port security cannot be in security groups.")
        group_ids = ()
    if group_ids is None:
        group_ids = (defaults.demand(kinds.SECURITY_GROUP, defaults.of_project(tx, project_id)[1]),)
    return store.PortAsk(
        project_id=project_id, network_id=request.network_id, subnet_id=request.subnet_id,
        fixed_ip=request.fixed_ip, group_ids=group_ids, name=request.name, description=request.description,
        mac=request.mac, admin_state_up=request.admin_state_up, port_security=request.port_security,
        device_id=request.device_id, device_owner=request.device_owner, delete_on_termination=False)


def _demand_trust(caller: Caller, network: Network) -> None:
    # Without it a port takes the address of any neighbour, and with that the neighbour's metadata.
    if not policy.may_see(caller, network.project_id):
        raise errors.NotAllowed(
            f"Policy does not allow {caller.user_name} to switch off port security on network {network.id} of another "
            "project.", remedy="Ask the network's owner or an administrator, or use a network of your own.")


def _update(tx: Transaction, caller: Caller, id: str, values: dict[str, Any]) -> Port:
    port = owned(tx, caller, id)
    group_ids = values.pop("group_ids", None)
    if of_instance(port) and {"device_id", "device_owner"} & values.keys():
        raise errors.InUse(kinds.PORT, id, f"instance {port.device_id}")
    secured = values.get("port_security", port.port_security)
    if port.port_security and not secured:
        _demand_trust(caller, networks.get(tx, port.network_id))
    have = [group.id for group in port.groups] if group_ids is None else group_ids
    if have and not secured:
        raise errors.ConflictingValues("A port without port security cannot be in security groups.",
                                       remedy="Take the port out of its groups in the same request.")
    store.change(tx, id, values, rewire=bool(_WIRED & values.keys()))
    if group_ids is not None:
        names = groups.resolve(tx, port.project_id, group_ids)
        store.set_groups(tx, port, [name.id for name in names])
    changed = store.get(tx, id)
    _record(tx, caller, changed, "update")
    return changed


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    port = owned(tx, caller, id)
    if of_instance(port):
        raise errors.InUse(kinds.PORT, id, f"instance {port.device_id}",
                           remedy="Delete the instance; a port it made goes with it.")
    store.remove(tx, [port])
    _record(tx, caller, port, "delete")


def _record(tx: Transaction, caller: Caller, port: Port, action: str) -> None:
    events.record(tx, kinds.PORT, port.id, port.project_id, action, caller.user_id, caller.request_id,
                  port.generation)
