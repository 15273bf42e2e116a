"""The verbs of the libvirt driver as a plain blocking class; ``libvirt.py`` runs it in threads.

Every verb looks before it acts and can be repeated: a worker that dies anywhere leaves a state that the next look
shows. What must outlive a crash is written before the act that needs it: the mark of a shutdown before the
shutdown, the definition before the start. The mark goes only after the start.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from zope.interface import Interface, implementer

from stackd.drivers.hypervisors.connection import Connection
from stackd.drivers.hypervisors.disks import GIB, MIB, GuestFolders
from stackd.drivers.hypervisors.guestxml import (
    METADATA_KEY,
    METADATA_URI,
    GuestFiles,
    Machine,
    Marks,
    domain_xml,
    marks_xml,
    parse_marks,
)
from stackd.errors import TransientFailure
from stackd.model.devices import domain_name
from stackd.model.guests import Guest, GuestSpec
from stackd.model.hosts import HostCapacity
from stackd.model.ids import dashed
from stackd.model.instances import GuestState


class IDomains(Interface):
    """The blocking part of the driver, a verb of ``IHypervisor`` each; derived awaitable by ``drivers.threaded``."""

    def measure() -> HostCapacity:
        """What the machine has; ``virt_type`` and over-commitment are the caller's."""

    def guests() -> tuple[Guest, ...]:
        """A look at all."""

    def look(id: str) -> Guest:
        """A look at one."""

    def make_disk(spec: GuestSpec, base: Path) -> None:
        """Make the root disk over an image of the cache."""

    def start(spec: GuestSpec, machine: Machine, kernel: Path | None, ramdisk: Path | None) -> None:
        """Define and start."""

    def shutdown(id: str, now: float, generation: int) -> None:
        """Mark, then press the power button."""

    def destroy(id: str) -> None:
        """Mark, then cut the power."""

    def remove(id: str) -> None:
        """Cut the power, undefine, remove the files."""

    def console_output(id: str, length: int) -> bytes:
        """The tail of the console."""

    def bound_consoles() -> None:
        """Keep all consoles within their bound."""

    def pause(id: str) -> None:
        """Suspend a running guest."""

    def unpause(id: str) -> None:
        """Resume a paused guest."""

    def close() -> None:
        """Let go of the connection."""


@implementer(IDomains)
class Domains:
    """The domains of one libvirtd that carry our mark."""

    def __init__(self, connection: Connection, folders: GuestFolders, folder: Path, logs: Path,
                 seconds: Callable[[], float] = time.time) -> None:
        """``folder`` is where the disks are, for its free space; ``seconds`` gives epoch seconds.

        ``logs`` is where libvirtd writes what QEMU says, a file for each guest, which it never removes itself.
        """
        self._connection = connection
        self._folders = folders
        self._folder = folder
        self._logs = logs
        self._seconds = seconds

    def measure(self) -> HostCapacity:
        """From libvirtd and the file system."""
        self._folder.mkdir(parents=True, exist_ok=True)
        disk_gib = shutil.disk_usage(self._folder).total // GIB
        # libvirtd counts only the memory that was there at boot, not what was plugged in later.
        memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB

        def verb(opened: Any) -> HostCapacity:
            architecture, _, cpus = opened.getInfo()[:3]
            return HostCapacity(vcpus=cpus, memory_mib=memory_mib, disk_gib=disk_gib,
                                hypervisor_type=opened.getType(), hypervisor_version=opened.getVersion(),
                                architecture=architecture, hypervisor_hostname=opened.getHostname())
        return self._connection.run(verb)

    def guests(self) -> tuple[Guest, ...]:
        """Our domains, and the folders that have none."""
        def verb(opened: Any) -> dict[str, Guest]:
            looks = (self._look_at(domain) for domain in opened.listAllDomains(0))
            return {guest.id: guest for guest in looks if guest is not None}
        seen = self._connection.run(verb)
        for id in self._folders.ids():
            seen.setdefault(id, Guest(id=id, state=GuestState.ABSENT, prepared=True))
        return tuple(seen.values())

    def look(self, id: str) -> Guest:
        """The domain, or only the folder, or nothing."""
        guest = self._with_domain(id, self._look_at)
        return guest or Guest(id=id, state=GuestState.ABSENT, prepared=self._folders.prepared(id))

    def make_disk(self, spec: GuestSpec, base: Path) -> None:
        """An overlay of the flavor's size."""
        try:
            self._folders.make(spec, base)
        except OSError as error:
            raise TransientFailure(f"The disk of guest {spec.id} could not be made: {error}") from error

    def start(self, spec: GuestSpec, machine: Machine, kernel: Path | None, ramdisk: Path | None) -> None:
        """Defined anew each time, so that it is what ``spec`` says."""
        guest = self.look(spec.id)
        if guest.state is GuestState.RUNNING:
            if guest.shutdown_at is not None:
                self._with_domain(spec.id, lambda domain: self._mark(domain, spec.id, None))
            return
        if guest.state is GuestState.PAUSED:
            self.unpause(spec.id)
            return
        if not self._folders.prepared(spec.id):
            raise TransientFailure(f"The disks of guest {spec.id} are not prepared.")
        files = GuestFiles(disk=self._folders.disk(spec.id), console=self._folders.console(spec.id), kernel=kernel,
                           ramdisk=ramdisk)
        # That we asked it to go down is forgotten when it is up: until then it would seem to have gone by itself.
        before = Marks(shutdown_at=guest.shutdown_at, shutdown_generation=guest.shutdown_generation)
        text = domain_xml(spec, files, machine, before)

        def verb(opened: Any) -> None:
            domain = opened.defineXML(text)
            if not domain.isActive():
                domain.create()
            if before.shutdown_at is not None:
                self._mark(domain, spec.id, None)
        self._connection.run(verb)

    def shutdown(self, id: str, now: float, generation: int) -> None:
        """Only a guest that is up hears it."""
        library = self._connection.library

        def verb(domain: Any) -> None:
            if domain.isActive():
                self._mark(domain, id, now, generation)
                domain.shutdownFlags(library.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        self._with_domain(id, verb)

    def destroy(self, id: str) -> None:
        """A guest that crashed is marked too: then it is stopped."""
        def verb(domain: Any) -> None:
            guest = self._look_at(domain)
            if guest is None or guest.state is GuestState.STOPPED:
                return
            if guest.shutdown_at is None:
                self._mark(domain, id, self._seconds())
            if domain.isActive():
                domain.destroy()
        self._with_domain(id, verb)

    def remove(self, id: str) -> None:
        """The domain first: while its folder stands the guest is still seen."""
        library = self._connection.library
        flags = (library.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | library.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                 | library.VIR_DOMAIN_UNDEFINE_NVRAM | library.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)

        def verb(domain: Any) -> None:
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(flags)
        self._with_domain(id, verb)
        try:
            self._folders.remove(id)
            (self._logs / f"{domain_name(id)}.log").unlink(missing_ok=True)
        except OSError as error:
            raise TransientFailure(f"The files of guest {id} could not be removed: {error}") from error

    def console_output(self, id: str, length: int) -> bytes:
        """From the files; libvirtd is not asked."""
        return self._folders.console_tail(id, length)

    def bound_consoles(self) -> None:
        """One after another."""
        for id in self._folders.ids():
            self._folders.bound_console(id)

    def pause(self, id: str) -> None:
        """Nothing for a guest that is not up."""
        self._switch(id, GuestState.RUNNING, lambda domain: domain.suspend())

    def unpause(self, id: str) -> None:
        """Nothing for a guest that is not paused."""
        self._switch(id, GuestState.PAUSED, lambda domain: domain.resume())

    def close(self) -> None:
        """The guests run on."""
        self._connection.close()

    def _switch(self, id: str, before: GuestState, act: Callable[[Any], object]) -> None:
        def verb(domain: Any) -> None:
            if self._state(domain, None) is before:
                act(domain)
        self._with_domain(id, verb)

    def _with_domain(self, id: str, verb: Callable[[Any], Any]) -> Any:
        """``verb(domain)``, or None when there is no domain of ours with this id, also when it went meanwhile."""
        def found(opened: Any) -> Any:
            try:
                domain = opened.lookupByUUIDString(dashed(id))
                return verb(domain) if self._marks(domain) is not None else None
            except self._connection.library.libvirtError as error:
                if self._connection.is_error(error, "VIR_ERR_NO_DOMAIN"):
                    return None
                raise
        return self._connection.run(found)

    def _look_at(self, domain: Any) -> Guest | None:
        """The guest, or None for a foreign domain and one that went while we looked."""
        library = self._connection.library
        try:
            marks = self._marks(domain)
            if marks is None:
                return None
            id = domain.UUIDString().replace("-", "")
            state = self._state(domain, marks.shutdown_at)
        except library.libvirtError as error:
            if self._connection.is_error(error, "VIR_ERR_NO_DOMAIN"):
                return None
            raise
        return Guest(id=id, state=state, prepared=self._folders.prepared(id), reboots=marks.reboots,
                     epoch=marks.epoch, shutdown_at=marks.shutdown_at, shutdown_generation=marks.shutdown_generation)

    def _state(self, domain: Any, shutdown_at: float | None) -> GuestState:
        """Stopped only when the guest went down in good order or we made it; anything else is a crash."""
        library = self._connection.library
        state, reason = domain.state()
        # A guest that put itself to sleep runs as it likes: it is not ours to wake.
        if state in (library.VIR_DOMAIN_RUNNING, library.VIR_DOMAIN_BLOCKED, library.VIR_DOMAIN_SHUTDOWN,
                     library.VIR_DOMAIN_PMSUSPENDED):
            return GuestState.RUNNING
        if state == library.VIR_DOMAIN_PAUSED:
            return GuestState.CRASHED if reason == library.VIR_DOMAIN_PAUSED_CRASHED else GuestState.PAUSED
        if state == library.VIR_DOMAIN_NOSTATE:
            return GuestState.UNKNOWN
        orderly = reason in (library.VIR_DOMAIN_SHUTOFF_SHUTDOWN, library.VIR_DOMAIN_SHUTOFF_DESTROYED)
        if shutdown_at is not None or (state == library.VIR_DOMAIN_SHUTOFF and orderly):
            return GuestState.STOPPED
        return GuestState.CRASHED

    def _marks(self, domain: Any) -> Marks | None:
        library = self._connection.library
        try:
            return parse_marks(domain.metadata(library.VIR_DOMAIN_METADATA_ELEMENT, METADATA_URI, 0))
        except library.libvirtError as error:
            if self._connection.is_error(error, "VIR_ERR_NO_DOMAIN_METADATA"):
                return None
            raise

    def _mark(self, domain: Any, id: str, now: float | None, generation: int | None = None) -> None:
        """Note that we asked the guest to go down, where it survives the guest, libvirtd and us; None: we did not."""
        library = self._connection.library
        marks = evolve(self._marks(domain) or Marks(), shutdown_at=now, shutdown_generation=generation)
        flags = library.VIR_DOMAIN_AFFECT_CONFIG
        if domain.isActive():
            flags |= library.VIR_DOMAIN_AFFECT_LIVE
        domain.setMetadata(library.VIR_DOMAIN_METADATA_ELEMENT, marks_xml(id, marks), METADATA_KEY, METADATA_URI,
                           flags)
