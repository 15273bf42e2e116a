"""Instances: launch, list, change, terminate. Both APIs' use cases, each policy -> one transaction -> records.

No request waits for work to be done: it writes what is desired and wakes the owner. Console output is the one
question asked of a host.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackd import errors
from stackd.core.launches import Launches
from stackd.interfaces.bus import IMessageBus
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.events import Event
from stackd.model.faults import Phase
from stackd.model.instances import (
    Instance,
    InstanceDesired,
    InstanceQuery,
    InstanceView,
    LaunchRequest,
    RebootKind,
    Reservation,
    StateChange,
)
from stackd.model.paging import Page, PageRequest
from stackd.rules import launching, lifecycle, ownership, phases, policy
from stackd.store import events, instances, ports
from stackd.store.database import Database, Transaction

CONSOLE_LIMIT = 65536
CONSOLE_TIMEOUT = 10.0
Change = Callable[[Instance, float], Instance]
Words = Mapping[str, Any]
"""What no worker acts on, by column."""


class Instances:
    """Use cases of instances; assembled once per process."""

    def __init__(self, database: Database, bus: IMessageBus, launches: Launches) -> None:
        """``bus`` asks hosts for consoles; ``launches`` makes new instances."""
        self._database = database
        self._bus = bus
        self._launches = launches

    async def launch(self, caller: Caller, request: LaunchRequest) -> Reservation:
        """Desire new instances; see :class:`LaunchRequest`."""
        return await self._launches.launch(caller, request)

    async def list(self, caller: Caller, query: InstanceQuery, page: PageRequest) -> Page[InstanceView]:
        """One page of the caller's instances, newest first; admins may ask for all projects."""
        policy.demand(caller, READER, "list instances")
        if (query.all_projects or query.host) and not caller.is_admin:
            raise errors.NotAllowed("Only administrators may list instances by host or of all projects.")
        project_id = query.project_id if query.all_projects else caller.project_id
        return await self._database.read(instances.listed, query, project_id, page)

    async def get(self, caller: Caller, id: str, ended: bool = False) -> InstanceView:
        """One instance; one that has ended only where ``ended`` ones are wanted too."""
        policy.demand(caller, READER, "show instances")
        query = InstanceQuery(ids=(id,), ended_since=0.0 if ended else None)
        found = await self._database.read(instances.listed, query, _scope(caller), PageRequest())
        for view in found:
            return view
        raise errors.NotFound(kinds.INSTANCE, id)

    async def events(self, caller: Caller, id: str) -> tuple[Event, ...]:
        """The history of an instance, newest first, also when it has ended."""
        await self.get(caller, id, ended=True)
        return await self._database.read(events.of_resource, id)

    async def user_data(self, caller: Caller, id: str) -> bytes:
        """The user data of an instance; empty when there is none."""
        await self.get(caller, id)
        return await self._database.read(instances.user_data_of, id)

    async def rename(self, caller: Caller, id: str, name: str | None = None, description: str | None = None,
                     access_ipv4: str | None = None, access_ipv6: str | None = None) -> InstanceView:
        """Change the name, the description or the addresses to be shown; None leaves them."""
        given = {"name": name, "description": description, "access_ipv4": access_ipv4, "access_ipv6": access_ipv6}
        words = {key: value for key, value in given.items() if value is not None}
        return await self._change_words(caller, id, lambda instance: words)

    async def label(self, caller: Caller, id: str,
                    change: Callable[[tuple[str, ...]], Sequence[str]]) -> InstanceView:
        """Give it the labels that ``change`` makes of those it has; raises ``InvalidValue``."""
        def labelled(instance: Instance) -> Words:
            labels = list(change(instance.labels))
            launching.check_labels(labels)
            return {"labels": labels}

        return await self._change_words(caller, id, labelled)

    async def lock(self, caller: Caller, id: str, locked: bool, reason: str = "") -> InstanceView:
        """Let nobody but admins act on it, or everybody again who may."""
        words = {"locked": locked, "lock_reason": reason if locked else ""}
        return await self._change_words(caller, id, lambda instance: words, action="lock" if locked else "unlock")

    async def set_metadata(self, caller: Caller, id: str, entries: Mapping[str, str],
                           replace: bool = False) -> InstanceView:
        """Add or change entries; with ``replace`` the others go."""
        def changed(instance: Instance) -> Words:
            metadata = {**({} if replace else instance.metadata), **entries}
            launching.check_metadata(metadata)
            return {"metadata": metadata}

        return await self._change_words(caller, id, changed)

    async def delete_metadata(self, caller: Caller, id: str, keys: Sequence[str]) -> InstanceView:
        """Remove entries; those that are not there are no error."""
        return await self._change_words(caller, id, lambda instance: {
            "metadata": {key: value for key, value in instance.metadata.items() if key not in keys}})

    async def terminate(self, caller: Caller, ids: Sequence[str], dry_run: bool = False) -> tuple[StateChange, ...]:
        """Desire them deleted; terminating again succeeds again."""
        return await self._act(caller, ids, "terminate", dry_run,
                               lambda instance, now: lifecycle.terminated(instance, now, caller.request_id))

    async def stop(self, caller: Caller, ids: Sequence[str], strict: bool = False,
                   dry_run: bool = False) -> tuple[StateChange, ...]:
        """Desire them stopped; ``strict`` refuses those that are already."""
        return await self._act(caller, ids, "stop", dry_run,
                               lambda instance, now: lifecycle.stopped(instance, now, caller.request_id, strict))

    async def start(self, caller: Caller, ids: Sequence[str], strict: bool = False,
                    dry_run: bool = False) -> tuple[StateChange, ...]:
        """Desire them running; ``strict`` refuses those that are already."""
        return await self._act(caller, ids, "start", dry_run,
                               lambda instance, now: lifecycle.started(instance, now, caller.request_id, strict))

    async def reboot(self, caller: Caller, ids: Sequence[str], kind: RebootKind,
                     dry_run: bool = False) -> tuple[StateChange, ...]:
        """Desire one more reboot of each."""
        return await self._act(caller, ids, "reboot", dry_run,
                               lambda instance, now: lifecycle.rebooted(instance, now, caller.request_id, kind))

    async def console_output(self, caller: Caller, id: str, length: int = CONSOLE_LIMIT) -> bytes:
        """The last ``length`` bytes (at most 64 KiB) of the serial console; empty before there are any."""
        instance = (await self.get(caller, id)).instance
        if not instance.host:
            return b""
        body = {"instance_id": id, "length": max(0, min(length, CONSOLE_LIMIT))}
        return b64decode(await self._bus.call(ownership.compute(instance.host), "console_output", body,
                                              CONSOLE_TIMEOUT))

    async def _act(self, caller: Caller, ids: Sequence[str], action: str, dry_run: bool,
                   change: Change) -> tuple[StateChange, ...]:
        policy.demand(caller, MEMBER, f"{action} instances")
        return await self._database.write(_act, caller, tuple(dict.fromkeys(ids)), action, change, dry_run)

    async def _change_words(self, caller: Caller, id: str, change: Callable[[Instance], Words],
                            action: str = "update") -> InstanceView:
        policy.demand(caller, MEMBER, "change instances")
        return await self._database.write(_change_words, caller, id, change, action)


def _scope(caller: Caller) -> str | None:
    """The project a single instance must be of; admins find all."""
    return None if caller.is_admin else caller.project_id


def _act(tx: Transaction, caller: Caller, ids: tuple[str, ...], action: str, change: Change,
         dry_run: bool) -> tuple[StateChange, ...]:
    found = instances.owned(tx, _scope(caller), ids)
    held = ports.of_devices(tx, ids)
    wired = {id: phases.all_wired(held.get(id, ())) for id in ids}
    before: dict[str, Phase] = {id: phases.phase_of(found[id], wired[id]) for id in ids}
    if action != "terminate":
        for id in ids:
            _demand_visible(found[id])
            if found[id].locked and not caller.is_admin:
                raise errors.WrongState(kinds.INSTANCE, id, "locked", action, remedy="Unlock it first.")
    after = {id: change(found[id], tx.now) for id in ids}
    if dry_run:
        raise errors.DryRunSucceeded("The request would have succeeded, but the dry run flag is set.")
    changed = [one for id, one in after.items() if one is not found[id]]
    _save(tx, caller, action, changed, found, wired)
    fresh = instances.of_ids(tx, ids)
    views = dict(zip(fresh, instances.with_ports(tx, list(fresh.values())), strict=True))
    return tuple(StateChange(before=before[id], after=views[id]) for id in ids)


def _demand_visible(instance: Instance) -> None:
    """What has ended can be terminated again, but nothing else."""
    if instance.ended_at is not None:
        raise errors.WrongState(kinds.INSTANCE, instance.id, "deleted", "change")


def _save(tx: Transaction, caller: Caller, action: str, changed: Sequence[Instance], found: Mapping[str, Instance],
          wired: Mapping[str, bool]) -> None:
    instances.save_all(tx, [(one, wired[one.id]) for one in changed])
    for one in changed:
        tx.stamp(one.host, kinds.INSTANCE, [one.id])
    never_placed = [one.id for one in changed if one.desired is InstanceDesired.DELETED and not one.host]
    if never_placed:
        ports.release(tx, never_placed)
    events.record_all(tx, [events.row(
        tx.now, kinds.INSTANCE, one.id, one.project_id, action, caller.user_id, caller.request_id, one.generation,
        before={"desired": found[one.id].desired.value}, after={"desired": one.desired.value}) for one in changed])


def _change_words(tx: Transaction, caller: Caller, id: str, change: Callable[[Instance], Words],
                  action: str) -> InstanceView:
    instance = instances.owned(tx, _scope(caller), [id])[id]
    if instance.ended_at is not None:
        raise errors.NotFound(kinds.INSTANCE, id)
    words = {"metadata": dict(instance.metadata), **change(instance)}
    instances.demand_metadata_quota(tx, instance.project_id, words["metadata"])
    instances.change_words(tx, id, **words)
    tx.stamp(instance.host, kinds.INSTANCE, [id])
    events.record(tx, kinds.INSTANCE, id, instance.project_id, action, caller.user_id, caller.request_id,
                  instance.generation)
    return instances.with_ports(tx, list(instances.of_ids(tx, [id]).values()))[0]
