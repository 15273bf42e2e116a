"""What clients were told, against the rows: every accepted request reached its state or carries a fault."""

from collections.abc import Iterable, Iterator

from stackd.model.instances import Instance, InstanceDesired
from stackd.testing.chaos.checks import Violation
from stackd.testing.chaos.fleet import GONE, RUNNING, STOPPED, Fleet, Launch, Server
from stackd.testing.chaos.openstack import short
from stackd.testing.chaos.rows import Rows

_STATES = {InstanceDesired.RUNNING: RUNNING, InstanceDesired.STOPPED: STOPPED, InstanceDesired.DELETED: GONE}
LAUNCH = "launch"
"""The key of the metadata that carries the token of a launch."""


def kept(rows: Rows, fleets: Iterable[Fleet]) -> Iterator[Violation]:
    """All promises to all clients."""
    by_short = {one.id[:17]: one for one in rows.instances.values()}
    launched: dict[str, list[Instance]] = {}
    for one in rows.instances.values():
        launched.setdefault(one.metadata.get(LAUNCH, ""), []).append(one)
    for fleet in fleets:
        for launch in fleet.launches:
            yield from _launch(launch, launched.pop(launch.token, []))
        for server in fleet.servers:
            yield from _server(server, by_short.get(short(server.id)))
        yield from _addresses(rows, fleet)
        yield from _ports(rows, fleet)
    for token, strangers in launched.items():
        yield from (Violation("stranger", one.id, f"nobody launched it ({token})") for one in strangers)


def _launch(launch: Launch, found: list[Instance]) -> Iterator[Violation]:
    known = {short(id) for id in launch.ids}
    if not launch.explains(len(found)) or (launch.accepted and known != {one.id[:17] for one in found}):
        words = "accepted" if launch.accepted else "refused" if launch.certain else "unknown"
        yield Violation("launch", found[0].id if found else "",
                        f"{launch.name} by {launch.api}, {words}, {launch.least} to {launch.most}, told {launch.ids}: "
                        f"there are {[one.id for one in found]}")


def _server(server: Server, row: Instance | None) -> Iterator[Violation]:
    if row is None:
        yield Violation("lost", server.id, "there is no row of an accepted launch")
        return
    state = _STATES[row.desired]
    if state not in server.may_be and row.fault is None:
        yield Violation("state", row.id, f"desired is {state}, its client expects {sorted(server.may_be)}")
    if row.reboots < server.reboots:
        yield Violation("reboot-lost", row.id, f"{row.reboots} of at least {server.reboots}")
    for key, values in server.labels.items():
        if row.metadata.get(key, "") not in values:
            yield Violation("label", row.id, f"{key} is {row.metadata.get(key)}, not of {sorted(values)}")


def _addresses(rows: Rows, fleet: Fleet) -> Iterator[Violation]:
    by_short = {one.id[:17]: one for one in rows.floating_ips if not one.deleted}
    holder = {port.id: port.device_id for port in rows.ports}
    for address in fleet.addresses:
        row = by_short.get(short(address.id))
        if row is None:
            yield Violation("address-lost", address.id, "an allocated address has no row")
            continue
        leads = holder.get(row.port_id, "")[:17]
        if leads not in address.may_lead:
            yield Violation("address-leads", row.id, f"to {leads or 'nothing'}, not to one of "
                                                     f"{sorted(address.may_lead)}")


def _ports(rows: Rows, fleet: Fleet) -> Iterator[Violation]:
    group = next((group for group in rows.groups if group.id[:17] == short(fleet.group)), None)
    for port, values in fleet.open_ports.items():
        opened = [rule for rule in group.rules if rule.port_min == port] if group else []
        if len(opened) > 1 or bool(opened) not in values:
            yield Violation("rules", fleet.group, f"port {port}: {len(opened)} rules, of {sorted(values)}")
