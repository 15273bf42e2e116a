"""Launches: from a neutral request to rows of desired instances with their ports, in one transaction.

The image is asked for before the transaction, and kept as a snapshot with the instances. The first lock is the
project's quota row, so that counting is exact. Called by ``core.instances``.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from attrs import evolve

from stackd import errors
from stackd.interfaces.images import IImages
from stackd.model import ids, kinds
from stackd.model.callers import MEMBER, Caller
from stackd.model.flavors import Flavor
from stackd.model.images import Image, ImageSnapshot
from stackd.model.instances import Instance, InstanceView, LaunchRequest, NetworkRequest, Reservation
from stackd.model.networks import Port
from stackd.model.quotas import QuotaSet
from stackd.rules import launching, phases, policy
from stackd.rules.ownership import SCHEDULER
from stackd.store import allocation, defaults, events, flavors, groups, instances, keypairs, networks, ports, quotas
from stackd.store.database import Database, Transaction

KERNEL_ID, RAMDISK_ID = "kernel_id", "ramdisk_id"


class Launches:
    """The one use case with so many parts that it has a file of its own."""

    def __init__(self, database: Database, images: IImages, zones: Sequence[str]) -> None:
        """``zones`` are the names of the cloud's availability zones."""
        self._database = database
        self._images = images
        self._zones = tuple(zones)

    async def launch(self, caller: Caller, request: LaunchRequest) -> Reservation:
        """Desire ``min_count`` to ``max_count`` new instances; the same client token gives the same reservation."""
        policy.demand(caller, MEMBER, "launch instances")
        launching.check_request(request)
        if request.zone and request.zone not in self._zones:
            raise errors.NotFound(kinds.ZONE, request.zone, remedy=f"Zones are {', '.join(self._zones)}.")
        if request.host and not caller.is_admin:
            raise errors.NotAllowed("Only administrators may choose the host of an instance.")
        image = await self._snapshot(caller, request.image_id)
        return await self._database.write(_launch, caller, request, image)

    async def _snapshot(self, caller: Caller, image_id: str) -> ImageSnapshot:
        image = await self._images.show(caller, image_id)
        kernel = await self._part(caller, image, KERNEL_ID)
        ramdisk = await self._part(caller, image, RAMDISK_ID)
        return launching.snapshot(image, kernel, ramdisk)

    async def _part(self, caller: Caller, image: Image, name: str) -> Image | None:
        named = image.properties.get(name)
        if not named:
            return None
        id = ids.parse_uuid(named)
        if id is None:
            raise errors.InvalidImage(f"Image {image.id} names {named!r} as its {name}, which is no image id.")
        return await self._images.show(caller, id)


def _launch(tx: Transaction, caller: Caller, request: LaunchRequest, image: ImageSnapshot) -> Reservation:
    limits = quotas.lock(tx, caller.project_id)
    earlier = _earlier(tx, caller, request)
    if earlier is not None:
        return earlier
    flavor = _flavor(tx, caller, request.flavor_id)
    launching.check_fit(image, flavor)
    quotas.demand("metadata_items", limits.metadata_items, 0, len(request.metadata))
    public_key = _public_key(tx, caller, request.key_name)
    count = _granted(tx, caller, request, flavor, limits)
    reservation_id = ids.new_id()
    new = launching.instances_of(request, caller, [ids.new_id() for _ in range(count)], reservation_id, flavor,
                                 image, public_key, tx.now)
    instances.insert_all(tx, new, request.min_count, request.host)
    held = _connect(tx, caller, request, new)
    if request.dry_run:
        raise errors.DryRunSucceeded("The request would have succeeded, but the dry run flag is set.")
    if request.user_data:
        instances.keep_user_data(tx, [one.id for one in new], request.user_data)
    if request.client_token:
        instances.keep_token(tx, caller.project_id, request.client_token, request.request_hash, reservation_id)
    events.record_all(tx, [events.row(tx.now, kinds.INSTANCE, one.id, one.project_id, "create", caller.user_id,
                                      caller.request_id, 1, after={"desired": one.desired.value}) for one in new])
    tx.wake(SCHEDULER)
    return Reservation(id=reservation_id, project_id=caller.project_id,
                       instances=tuple(_view(instance, held[instance.id]) for instance in new))


def _view(instance: Instance, held: Sequence[Port]) -> InstanceView:
    """What was just inserted, as it would be read."""
    phase = phases.phase_of(instance, wired=False)
    return InstanceView(instance=evolve(instance, phase=phase), ports=tuple(held), reason=phase.reason)


def _earlier(tx: Transaction, caller: Caller, request: LaunchRequest) -> Reservation | None:
    if not request.client_token:
        return None
    known = instances.reservation_of_token(tx, caller.project_id, request.client_token)
    if known is None:
        return None
    request_hash, reservation_id = known
    if request_hash != request.request_hash:
        raise errors.TokenReused("This client token was used before with other parameters.")
    launched = instances.of_reservation(tx, reservation_id)
    if not launched:  # tokens are kept for longer than what ended
        raise errors.TokenSpent("The instances launched with this client token were terminated.")
    return Reservation(id=reservation_id, project_id=caller.project_id, instances=launched)


def _granted(tx: Transaction, caller: Caller, request: LaunchRequest, flavor: Flavor, limits: QuotaSet) -> int:
    count, cores, memory, connected = instances.usage(tx, caller.project_id)
    # Ports the user made already count; the others are made with the instance.
    each = 1 if request.networks is None else sum(one.port_id is None for one in request.networks)

    def room(n: int) -> None:
        quotas.demand("instances", limits.instances, count, n)
        quotas.demand("cores", limits.cores, cores, n * flavor.vcpus)
        quotas.demand("ram", limits.ram, memory, n * flavor.memory_mib)
        quotas.demand("ports", limits.ports, connected, n * each)

    return launching.granted(request, flavor, room)


def _connect(tx: Transaction, caller: Caller, request: LaunchRequest,
             new: Sequence[Instance]) -> Mapping[str, Sequence[Port]]:
    """Give every instance its ports: id -> ports in order."""
    wanted, refs = request.networks, request.group_ids
    network_id, group_id = defaults.of_project(tx, caller.project_id) if None in (wanted, refs) else ("", "")
    if wanted is None:
        wanted = (NetworkRequest(network_id=defaults.demand(kinds.NETWORK, network_id)),)
    else:
        _demand_networks(tx, caller, wanted)
    if not wanted:
        return {instance.id: () for instance in new}
    group_ids = (defaults.demand(kinds.SECURITY_GROUP, group_id),) if refs is None else _group_ids(tx, caller, refs)
    owner = f"compute:{request.zone or 'nova'}"
    ask = partial(allocation.PortAsk, project_id=caller.project_id, device_owner=owner, zone=request.zone)
    made = allocation.create(tx, [
        ask(network_id=one.network_id, subnet_id=one.subnet_id, fixed_ip=one.fixed_ip,
            group_ids=group_ids if one.group_ids is None else _group_ids(tx, caller, one.group_ids),
            device_id=instance.id,
            device_index=index, hostname=instance.hostname)
        for instance in new for index, one in enumerate(wanted) if one.network_id])
    borrowed = [(index, one.port_id) for index, one in enumerate(wanted) if one.port_id]
    for index, port_id in borrowed:
        ports.adopt(tx, caller.project_id, port_id, new[0].id, index, owner, new[0].hostname)
    if borrowed:
        return {new[0].id: ports.of_devices(tx, [new[0].id])[new[0].id]}
    held: dict[str, list[Port]] = {instance.id: [] for instance in new}
    for port in made:
        held[port.device_id].append(port)
    return held


def _flavor(tx: Transaction, caller: Caller, id: str) -> Flavor:
    found = flavors.by_id(tx, id)
    if found is None or not (found.public or caller.is_admin):
        raise errors.NotFound(kinds.FLAVOR, id)
    return found


def _public_key(tx: Transaction, caller: Caller, name: str | None) -> str:
    if not name:
        return ""
    found = keypairs.by_name(tx, caller.user_id, name)
    if found is None:
        raise errors.NotFound(kinds.KEYPAIR, name)
    return found.public_key


def _group_ids(tx: Transaction, caller: Caller, refs: Sequence[str]) -> tuple[str, ...]:
    # Clients write an id with its dashes where a name may stand too.
    plain = [ids.parse_uuid(ref) or ref for ref in refs]
    return tuple(group.id for group in groups.resolve(tx, caller.project_id, plain))


def _demand_networks(tx: Transaction, caller: Caller, wanted: Sequence[NetworkRequest]) -> None:
    """Raise unless the caller may launch into every network named."""
    asked = {one.network_id for one in wanted if one.network_id}
    found = {one.id: one for one in networks.visible(tx, caller.project_id, caller.is_admin, sorted(asked))}
    for id in asked:
        if id not in found:
            raise errors.NotFound(kinds.NETWORK, id)
        if found[id].external:
            raise errors.InvalidValue("networks", f"network {id} is external; it carries floating addresses only",
                                      remedy="Launch into a tenant network and associate a floating address.")
