"""Networks as both APIs see them: own ones, and those shared by others or leading outside."""

from typing import Any

from attrs import asdict

from stackd import errors
from stackd.model import kinds
from stackd.model.callers import ADMIN, MEMBER, READER, Caller
from stackd.model.ids import new_id
from stackd.model.network_requests import NetworkChange, NewNetwork
from stackd.model.networks import Network, Underlay
from stackd.rules import policy, underlays
from stackd.store import events, quotas
from stackd.store import networks as store
from stackd.store.database import Database, Transaction

EXTERNAL_MTU = 1500
_MTU_BOUNDS = range(576, 9001)
_ADMINS_ONLY = ("shared", "external", "mtu")


class Networks:
    """Broadcast domains of projects; EC2 shows them as VPCs."""

    def __init__(self, database: Database, underlay: Underlay = Underlay()) -> None:
        """Everything is in ``database``; networks stand on ``underlay``."""
        self._database = database
        self._underlay = underlay

    async def list(self, caller: Caller, ids: tuple[str, ...] | None = None,
                   all_projects: bool = False) -> tuple[Network, ...]:
        """The caller's own, shared and external networks, newest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list networks")
        return await self._database.read(store.visible, caller.project_id, caller.is_admin and all_projects, ids)

    async def get(self, caller: Caller, id: str) -> Network:
        """One network the caller may see; raises ``NotFound``."""
        policy.demand(caller, READER, "show networks")
        return await self._database.read(seen, caller, id)

    async def create(self, caller: Caller, request: NewNetwork) -> Network:
        """Make a network; raises ``QuotaExceeded``, ``InvalidValue``, ``NotAllowed``, ``SegmentInUse``."""
        policy.demand(caller, MEMBER, "create networks")
        if request.shared or request.external or request.mtu is not None:
            policy.demand(caller, ADMIN, "create shared or external networks, or choose an MTU")
        if request.type or request.physical_network is not None or request.segment is not None:
            policy.demand(caller, ADMIN, "choose what networks stand on")
        ground = underlays.ground_of(request, self._underlay)
        _check_mtu(request.mtu, self._most(ground.physical_network))
        return await self._database.write(_create, caller, owner(caller, request.project_id), request, ground,
                                          underlays.mtu_of(ground.type, self._underlay))

    async def update(self, caller: Caller, id: str, change: NetworkChange) -> Network:
        """Change a network of one's own; raises ``NotFound``, ``NotAllowed``, ``InUse``."""
        policy.demand(caller, MEMBER, "update networks")
        values = given(change)
        if any(name in values for name in _ADMINS_ONLY):
            policy.demand(caller, ADMIN, f"change {', '.join(_ADMINS_ONLY)} of networks")
        if change.mtu is not None:
            network = await self._database.read(seen, caller, id)
            _check_mtu(change.mtu, self._most(network.physical_network))
        return await self._database.write(_update, caller, id, values)

    def _most(self, physical_network: str) -> int:
        """The largest MTU allowed: tunnels cut what does not fit, a physical network would drop it."""
        return self._underlay.mtu if physical_network else _MTU_BOUNDS[-1]

    async def delete(self, caller: Caller, id: str) -> None:
        """Delete a network of one's own with its subnets; raises ``NotFound``, ``InUse``."""
        policy.demand(caller, MEMBER, "delete networks")
        await self._database.write(_delete, caller, id)


def owner(caller: Caller, project_id: str | None) -> str:
    """The project a new resource belongs to: the caller's own, or another one where an admin says so."""
    if project_id and project_id != caller.project_id:
        policy.demand(caller, ADMIN, "create resources for other projects")
        return project_id
    return caller.project_id


def given(change: Any) -> dict[str, Any]:
    """What a change record changes: its fields that are not None."""
    return {name: value for name, value in asdict(change, recurse=False).items() if value is not None}


def seen(tx: Transaction, caller: Caller, id: str) -> Network:
    """A network the caller may use: own, shared, external, or any for an admin; raises ``NotFound``."""
    found = store.visible(tx, caller.project_id, caller.is_admin, (id,))
    if not found:
        raise errors.NotFound(kinds.NETWORK, id)
    return found[0]


def owned(tx: Transaction, caller: Caller, id: str) -> Network:
    """A network the caller may change; raises ``NotFound``, or ``NotAllowed`` where it is only shared."""
    network = seen(tx, caller, id)
    if not policy.may_see(caller, network.project_id):
        raise errors.NotAllowed(f"Policy does not allow {caller.user_name} to change network {id} of another project.")
    return network


def _check_mtu(mtu: int | None, most: int) -> None:
    if mtu is not None and not _MTU_BOUNDS[0] <= mtu <= most:
        raise errors.InvalidValue("mtu", f"{mtu} is not between {_MTU_BOUNDS[0]} and {most}.")


def _create(tx: Transaction, caller: Caller, project_id: str, request: NewNetwork, ground: underlays.Ground,
            mtu: int) -> Network:
    limits = quotas.lock(tx, project_id)
    quotas.demand("networks", limits.networks, store.count(tx, project_id), 1)
    network = store.add(tx, Network(
        id=new_id(), project_id=project_id, name=request.name, description=request.description,
        shared=request.shared, external=request.external, admin_state_up=request.admin_state_up,
        type=ground.type, physical_network=ground.physical_network, segment=ground.segment or 0,
        mtu=request.mtu or (EXTERNAL_MTU if request.external else mtu), created_at=tx.now, updated_at=tx.now),
        ground.free if ground.segment is None and ground.physical_network else None)
    _record(tx, caller, network, "create")
    return network


def _update(tx: Transaction, caller: Caller, id: str, values: dict[str, Any]) -> Network:
    network = owned(tx, caller, id)
    if network.shared and values.get("shared") is False and store.used_by_others(tx, network):
        raise errors.InUse(kinds.NETWORK, id, "ports of other projects")
    if values.get("external", network.external) is not network.external:
        raise errors.NotSupported("A network cannot become external, or cease to be.",
                                  remedy="Create another network.")
    changed = store.change(tx, id, values)
    if (changed.mtu, changed.admin_state_up) != (network.mtu, network.admin_state_up):
        rewire(tx, id)
    _record(tx, caller, changed, "update")
    return changed


def rewire(tx: Transaction, id: str) -> None:
    """What hosts wire of a network has changed: each host with a port on it must look."""
    store.raise_generation(tx, id)
    for host, port_ids in store.hosts(tx, id).items():
        tx.stamp(host, kinds.PORT, port_ids)


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    network = owned(tx, caller, id)
    ports, addresses = store.users(tx, id)
    if ports or addresses:
        by = f"{ports} ports" if ports else f"{addresses} floating addresses"
        raise errors.InUse(kinds.NETWORK, id, by)
    store.remove(tx, id)
    _record(tx, caller, network, "delete")


def _record(tx: Transaction, caller: Caller, network: Network, action: str) -> None:
    events.record(tx, kinds.NETWORK, network.id, network.project_id, action, caller.user_id, caller.request_id,
                  network.generation)
