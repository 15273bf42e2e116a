"""The cloud as a host sees it, without a database: ``IAssignments`` in memory, and records to assign.

Tests of workers use it in place of a conductor. It applies reports with the rules the conductor applies them with.
"""

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from zope.interface import implementer

from stackd import errors
from stackd.interfaces.assignments import IAssignments
from stackd.model import kinds
from stackd.model.assignments import (
    Assignments,
    FetchRequest,
    FloatingAssignment,
    FloatingReport,
    Hello,
    InstanceAssignment,
    PortAssignment,
    PortReport,
    Report,
    Version,
)
from stackd.model.flavors import Flavor
from stackd.model.images import ImageFile, ImageSnapshot
from stackd.model.instances import Instance
from stackd.model.wirings import GroupWiring
from stackd.rules.reports import applied, owned_by

Row = InstanceAssignment | PortAssignment | FloatingAssignment | GroupWiring
FLAVOR = Flavor(id="1", name="t2.micro", vcpus=1, memory_mib=1024, disk_gib=1)


def instance(id: str, host: str, **values: Any) -> Instance:
    """An instance placed on a host; ``values`` replace the fields of a plain one."""
    image = ImageFile(id="1" * 32, disk_format="raw", size=0, checksum="d41d8cd98f00b204e9800998ecf8427e")
    plain: dict[str, Any] = {
        "project_id": "p" * 32, "user_id": "u" * 32, "name": id, "hostname": id, "reservation_id": "r" * 32,
        "launch_index": 0, "flavor": FLAVOR, "image": ImageSnapshot(id=image.id, name="tiny", disk=image)}
    return Instance(**(plain | {"id": id, "host": host, "placement_epoch": 1} | values))


@implementer(IAssignments)
class HeldAssignments:
    """Rows put in by tests, and what hosts said of them."""

    def __init__(self, page: int = 500) -> None:
        """At most ``page`` rows are in one answer."""
        self.page = page
        self.incarnation = "first"
        self.number = 0
        self.sessions: dict[tuple[str, str], int] = {}
        self.hellos: list[Hello] = []
        self.fetches: list[FetchRequest] = []
        self.reports: list[Report] = []
        self.ports: dict[str, PortReport] = {}
        self.floating_ips: dict[str, FloatingReport] = {}
        self.failures: list[errors.StackdError] = []
        """Raised, one by each of the next questions or reports."""
        self.user_datas: dict[str, bytes] = {}
        self._rows: dict[tuple[str, str, str], tuple[int, Row]] = {}
        self._marks: dict[tuple[str, str], tuple[int, int]] = {}

    # --- for tests ---

    def assign(self, host: str, row: Row) -> None:
        """Stamp a row for a host."""
        self.number += 1
        worker = "compute" if isinstance(row, InstanceAssignment) else "network"
        id = row.instance.id if isinstance(row, InstanceAssignment) else row.id
        self._rows[host, worker, id] = (self.number, row)

    def withdraw(self, host: str, id: str) -> None:
        """The host does not hear of the row any more."""
        for worker in ("compute", "network"):
            self._rows.pop((host, worker, id), None)

    def instance(self, id: str) -> Instance:
        """An instance as it stands with all reports applied."""
        return self._found(id)[1].instance

    def change(self, id: str, **values: Any) -> None:
        """A user changes an instance: the fields, and a new generation."""
        host, assignment = self._found(id)
        after = evolve(assignment.instance, generation=assignment.instance.generation + 1, fault=None, **values)
        self.assign(host, evolve(assignment, instance=after))

    def _found(self, id: str) -> tuple[str, InstanceAssignment]:
        for (host, _, key), (_, row) in self._rows.items():
            if key == id and isinstance(row, InstanceAssignment):
                return host, row
        raise errors.NotFound(kinds.INSTANCE, id)

    # --- IAssignments ---

    async def hello(self, hello: Hello) -> int:
        """The next session."""
        self._fail()
        self.hellos.append(hello)
        who = hello.host, hello.worker
        self.sessions[who] = self.sessions.get(who, 0) + 1
        return self.sessions[who]

    async def fetch(self, request: FetchRequest) -> Assignments:
        """Rows above the known version, oldest stamp first."""
        self._fail()
        self.fetches.append(request)
        full = request.known.incarnation != self.incarnation
        known = 0 if full else request.known.number
        news = sorted(((number, row) for (host, worker, _), (number, row) in self._rows.items()
                      if host == request.host and number > known
                      and (worker == request.worker or isinstance(row, InstanceAssignment))), key=lambda each: each[0])
        page, more = news[:self.page], len(news) > self.page
        moved, unknown = self._strangers(request)
        return Assignments(
            version=Version(incarnation=self.incarnation, number=page[-1][0] if more else self.number),
            full=full, more=more, moved=moved, unknown=unknown,
            instances=tuple(row for _, row in page if isinstance(row, InstanceAssignment)),
            ports=tuple(row for _, row in page if isinstance(row, PortAssignment)),
            floating_ips=tuple(row for _, row in page if isinstance(row, FloatingAssignment)),
            groups=tuple(row for _, row in page if isinstance(row, GroupWiring)))

    def _strangers(self, request: FetchRequest) -> tuple[dict[str, int], tuple[str, ...]]:
        if request.worker != "compute":
            return {}, ()
        homes: Mapping[str, tuple[str, InstanceAssignment]] = {
            id: (host, row) for (host, _, id), (_, row) in self._rows.items() if isinstance(row, InstanceAssignment)}
        moved = {id: homes[id][1].instance.placement_epoch for id in request.held or ()
                 if id in homes and homes[id][0] != request.host}
        return moved, tuple(id for id in request.held or () if id not in homes)

    async def report(self, report: Report) -> None:
        """Apply what is newer than what was applied, of rows the host owns."""
        self._fail()
        self.reports.append(report)
        for one in report.instances:
            self._apply(report, one)
        self.ports.update((port.id, port) for port in report.ports)
        self.floating_ips.update((floating.id, floating) for floating in report.floating_ips)

    def _apply(self, report: Report, one: Any) -> None:
        key, mark = (report.host, "compute", one.id), (report.session, report.counter)
        held = self._rows.get(key)
        if held is None or not isinstance(held[1], InstanceAssignment):
            return
        if not owned_by(held[1].instance, report.host, one) or mark <= self._marks.get(("i", one.id), (0, 0)):
            return
        self._marks["i", one.id] = mark
        outcome = applied(held[1].instance, one, one.observed.at)
        after = evolve(held[1], instance=outcome.instance)
        self._rows[key] = (held[0], after)
        if outcome.restamp:
            self.assign(report.host, after)

    async def user_data(self, host: str, instance_id: str) -> bytes:
        """As put in."""
        if (host, "compute", instance_id) not in self._rows:
            raise errors.NotFound(kinds.INSTANCE, instance_id)
        return self.user_datas.get(instance_id, b"")

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
