"""What libvirt says of a domain, in our words."""

from pathlib import Path
from typing import Any

import pytest

from stackd.drivers.hypervisors.disks import GuestFolders
from stackd.drivers.hypervisors.domains import Domains
from stackd.drivers.hypervisors.guestxml import Marks, marks_xml
from stackd.model.ids import new_id
from stackd.model.instances import GuestState


class Library:
    """libvirt's module, its constants known by their names."""

    libvirtError = OSError

    def __getattr__(self, name: str) -> str:
        """A constant."""
        return name


class OneDomain:
    """A connection to a libvirtd with one domain, and that domain."""

    library = Library()

    def __init__(self, id: str, marks: Marks, state: str, reason: str) -> None:
        self._id, self._marks = id, marks
        self._state = f"VIR_DOMAIN_{state}", f"VIR_DOMAIN_{reason}"

    def run(self, verb: Any) -> Any:
        """At once."""
        return verb(self)

    def lookupByUUIDString(self, uuid: str) -> "OneDomain":
        """The one there is."""
        return self

    def UUIDString(self) -> str:
        """Without dashes is as good."""
        return self._id

    def state(self) -> tuple[str, str]:
        """With the reason."""
        return self._state

    def metadata(self, *of: Any) -> str:
        """Our marks."""
        return marks_xml(self._id, self._marks)


@pytest.mark.parametrize(("state", "reason", "asked", "seen"), [
    ("RUNNING", "RUNNING_BOOTED", None, GuestState.RUNNING),
    ("PMSUSPENDED", "PMSUSPENDED_UNKNOWN", None, GuestState.RUNNING),
    ("PAUSED", "PAUSED_IOERROR", None, GuestState.PAUSED),
    ("PAUSED", "PAUSED_CRASHED", None, GuestState.CRASHED),
    ("SHUTOFF", "SHUTOFF_SHUTDOWN", None, GuestState.STOPPED),
    ("SHUTOFF", "SHUTOFF_CRASHED", None, GuestState.CRASHED),
    ("SHUTOFF", "SHUTOFF_CRASHED", 5.0, GuestState.STOPPED),
    ("SHUTOFF", "SHUTOFF_UNKNOWN", None, GuestState.CRASHED)])
def test_a_domain_is_seen_as(tmp_path: Path, state: str, reason: str, asked: float | None, seen: GuestState) -> None:
    id = new_id()
    opened: Any = OneDomain(id, Marks(shutdown_at=asked), state, reason)
    domains = Domains(opened, GuestFolders(tmp_path, 1024), tmp_path, tmp_path)
    assert domains.look(id).state is seen
