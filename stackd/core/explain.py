"""``stackd explain ID``: desired, observed, owner, what it waits for, last fault, history, of what hosts work on.

Of groups, subnets and the like, which no host works on: whose they are. Of a host, given by its name: its workers, its
room, and whether it gets placements.
"""

from collections.abc import Sequence
from time import gmtime, strftime
from typing import Any

from stackd import errors
from stackd.model import ids, kinds
from stackd.model.addresses import FloatingIP
from stackd.model.callers import ADMIN, Caller
from stackd.model.events import Event
from stackd.model.hosts import WORKERS, Host
from stackd.model.instances import GuestState, Instance, InstanceDesired
from stackd.model.networks import Port
from stackd.rules import ownership, phases, policy
from stackd.store import addresses, events, hosts, instances, ports, shortids
from stackd.store.database import Database, Transaction

Explanation = dict[str, Any]
_KINDS = {prefix: kind for kind, prefix in ids.EC2_PREFIXES.items()}


class Explain:
    """Answers operators."""

    def __init__(self, database: Database, host_gone: float) -> None:
        """``host_gone`` is after how many silent seconds a worker counts as down."""
        self._database = database
        self._host_gone = host_gone

    async def explain(self, caller: Caller, text: str) -> Explanation:
        """What is known of a resource; raises ``NotFound``, and ``InvalidValue`` for what is no id."""
        policy.demand(caller, ADMIN, "explain resources")
        return await self._database.read(_explain, text.strip(), self._host_gone)


def _explain(tx: Transaction, text: str, host_gone: float) -> Explanation:
    for host in hosts.of_names(tx, [text], host_gone):
        return _host(tx, host, host_gone)
    id = _full_id(tx, text)
    for look in (_instance, _port, _floating_ip, _other):
        found = look(tx, id)
        if found is not None:
            found |= _silence(tx, found, host_gone)
            return {"id": ids.dashed(id), **found, "history": _history(events.of_resource(tx, id, 50))}
    history = events.of_resource(tx, id, 50)
    if not history:
        raise errors.NotFound("resource", text, remedy=(
            "Check the spelling; images, users and projects are not explained."))
    return {"id": ids.dashed(id), "kind": history[0].kind, "history": _history(history)}


def _full_id(tx: Transaction, text: str) -> str:
    whole = ids.parse_uuid(text)
    if whole is not None:
        return whole
    parsed = ids.parse_ec2_id(text)
    if parsed is None or parsed[0] not in _KINDS:
        raise errors.InvalidValue("id", f"{text!r} is no host, no UUID and no EC2 id.",
                                  remedy="'stackd host list' shows the names of hosts.")
    prefix, digits = parsed
    kind = _KINDS[prefix]
    found = shortids.within(tx, kind, [ids.id_range(digits)], None, None, 0.0) if kind in shortids.TABLES else []
    if not found:
        raise errors.NotFound(kind, text)
    return found[0]


def _instance(tx: Transaction, id: str) -> Explanation | None:
    instance = instances.of_ids(tx, [id]).get(id)
    if instance is None:
        return None
    held = ports.of_devices(tx, [id]).get(id, ())
    phase = phases.phase_of(instance, phases.all_wired(held))
    return {
        "kind": kinds.INSTANCE, "name": instance.name, "ec2_id": ids.ec2_id(kinds.INSTANCE, id),
        "desired": instance.desired.value, "generation": instance.generation,
        "observed": f"{instance.observed.state.value}, generation {instance.observed.generation}",
        "observed_at": _when(instance.observed.at),
        "phase": f"{phase.steady.value}, {phase.transition.value}", "host": instance.host or None,
        "zone": instance.zone or instance.zone_wanted or None,
        "reboots": f"{instance.observed.reboots} of {instance.reboots}",
        "owner": ownership.owner_of_instance(instance, held) or "nobody",
        "waits_for": waits_for(instance, held), "fault": instance.fault.message if instance.fault else None,
        "detail": (instance.fault.detail or None) if instance.fault else None,
        "ports": [ids.dashed(port.id) for port in held], "request": instance.request_id,
    }


def _silence(tx: Transaction, found: Explanation, host_gone: float) -> Explanation:
    """What is to be said beside it of the worker that must act, or of the host, when it is not heard of."""
    worker, _, name = found.get("owner", "").partition("@")
    host = next(iter(hosts.of_names(tx, [name or found.get("host") or ""], host_gone)), None)
    if host is None or not host.silent or (name and worker not in host.silent):
        return {}
    return {"silent": f"the {' and the '.join(host.silent)} worker of {host.name}; see 'stackd explain {host.name}'"}


def _host(tx: Transaction, host: Host, host_gone: float) -> Explanation:
    workers = {contact.worker: contact for contact in hosts.contacts_of(tx, host.name, host_gone)}
    return {
        "kind": kinds.HOST, "name": host.name, "zone": host.zone, "placements": _placements(host),
        "workers": [f"{worker}: {'up' if worker not in host.silent else 'down'}, last heard of "
                    + _when(workers[worker].last_seen if worker in workers else 0.0) for worker in WORKERS],
        "used": f"{host.used_vcpus} of {host.vcpus} CPUs, {host.used_memory_mib} of {host.memory_mib} MiB, "
                f"{host.used_disk_gib} of {host.disk_gib} GiB",
        "instances": host.instances,
    }


def _placements(host: Host) -> str:
    """Whether a host gets any."""
    if not host.enabled:
        return f"none: it is disabled{': ' if host.disabled_reason else ''}{host.disabled_reason}"
    if host.silent:
        return f"none: its {host.silent[0]} worker does not answer"
    return "yes"


def waits_for(instance: Instance, held: Sequence[Port]) -> str:
    """What must happen next, in words."""
    owner = ownership.owner_of_instance(instance, tuple(held))
    if owner == ownership.SCHEDULER:
        return "a host with room; the scheduler looks again every few seconds and when capacity is freed"
    if owner.startswith("network@"):
        return f"{owner} to wire its ports"
    if owner.startswith("compute@"):
        return f"{owner} to reach generation {instance.generation}"
    if owner == ownership.CONDUCTOR:
        return "the conductor to end it"
    if instance.fault is not None and instance.ended_at is None:
        return "the user: delete it, or ask for something else"
    if instance.observed.state is GuestState.PAUSED and instance.desired is InstanceDesired.RUNNING:
        return f"{ownership.compute(instance.host)} to let it go on: guests pause while their host has no room"
    return "nothing"


def _port(tx: Transaction, id: str) -> Explanation | None:
    port = next(iter(ports.of_ids(tx, [id])), None)
    if port is None:
        return None
    return {
        "kind": kinds.PORT, "desired": port.desired.value, "generation": port.generation,
        "observed": f"{port.observed.value}, generation {port.observed_generation}", "host": port.host or None,
        "owner": ownership.owner_of_port(port) or "nobody", "device": port.device_id or None,
        "fault": port.fault.message if port.fault else None,
        "addresses": [fixed.address for fixed in port.fixed_ips],
    }


def _floating_ip(tx: Transaction, id: str) -> Explanation | None:
    found: FloatingIP | None = next(iter(addresses.of_ids(tx, [id])), None)
    if found is None:
        return None
    return {
        "kind": kinds.FLOATING_IP, "address": found.address, "leads_to": found.fixed_ip or None,
        "generation": found.generation,
        "observed": f"{found.observed.value}, generation {found.observed_generation}",
        "host": found.host or None, "holder": found.holder or None,
        "owner": ownership.owner_of_floating_ip(found) or "nobody",
    }


def _other(tx: Transaction, id: str) -> Explanation | None:
    found = shortids.described(tx, id)
    return None if found is None else found | {"project": ids.dashed(found["project"])}


def _history(found: Sequence[Event]) -> list[str]:
    return [" ".join(filter(None, (_when(event.at), event.action, f"by {event.actor}", f"generation {event.generation}"
                                   if event.generation else "", event.reason, f"({event.request_id})")))
            for event in found]


def _when(at: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(at)) if at else "never"
