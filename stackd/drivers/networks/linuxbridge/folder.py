"""The driver's memory: one JSON file for each wired thing, so that a rebuilt driver can render everything again.

A file says what is wanted, never what stands: ``observe`` asks the kernel. Ports and networks also keep a number
here, which is their packet mark and connection tracking zone for as long as they are wired. The one file that is not
a thing's own tells which networks a change was begun on and not ended, for the kernel does not show what is missing.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import Logger

from stackd.drivers.networks.book import KINDS, Book
from stackd.drivers.networks.files import read_text, write_whole
from stackd.drivers.networks.linuxbridge.dhcpconf import DhcpFiles
from stackd.errors import Malformed, TransientFailure
from stackd.model import wire
from stackd.model.wirings import WiringChange

log = Logger()
LAST_NUMBER = 65535
_NUMBERED = ("networks", "ports")


class Folder:
    """A :class:`Book` that survives."""

    def __init__(self, path: Path) -> None:
        """Read what ``path`` holds; a file that cannot be read is left out, and so its thing shows as not wired."""
        self.path = path
        self.book = Book()
        self.numbers: dict[str, dict[str, int]] = {kind: {} for kind in _NUMBERED}
        self.begun: set[str] = set()
        """Ids of networks on which a change was begun and not ended; one that is not in the book is to be removed."""
        for kind, record_type in KINDS.items():
            for file in sorted((path / kind).glob("*.json")):
                self._load(kind, record_type, file)
        self._load_begun()

    def enter(self, change: WiringChange, begun: Iterable[str] = ()) -> None:
        """Keep the change in the book and on disk, and before it that it is begun on these networks.

        What is on a network that goes, goes too. Raises ``TransientFailure``.
        """
        change = self._with_all_on(change)
        self.book.enter(change)
        self.begun.update(begun)
        try:
            self._write_begun()
            for kind in reversed(KINDS):
                self._remove(kind, getattr(change, f"remove_{kind}"))
            for kind in KINDS:
                for record in getattr(change, kind):
                    self._write(kind, record)
        except OSError as error:
            raise self._unwritable(error) from None

    def end(self, begun: Iterable[str]) -> None:
        """The change was made true on these networks; the numbers of those that went are free. ``TransientFailure``."""
        ended = set(begun)
        self.begun -= ended
        for id in ended - self.book.networks.keys():
            self.numbers["networks"].pop(id, None)
        try:
            self._write_begun()
        except OSError as error:
            raise self._unwritable(error) from None

    def dhcp(self, network_id: str) -> DhcpFiles:
        """Where the DHCP server of a network keeps its files."""
        return DhcpFiles(self.path / "dhcp" / network_id)

    def all_dhcp(self) -> list[DhcpFiles]:
        """The files of every DHCP server there ever was and that was not forgotten."""
        return [DhcpFiles(folder) for folder in sorted((self.path / "dhcp").glob("*"))]

    def forget_dhcp(self, network_id: str) -> None:
        """Remove the files of a network's DHCP server."""
        shutil.rmtree(self.dhcp(network_id).folder, ignore_errors=True)

    def forget(self) -> None:
        """Remove everything of ours in the folder, and the folder when nothing else is in it."""
        for name in (*KINDS, "dhcp"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        self._begun_file.unlink(missing_ok=True)
        if self.path.exists() and not any(self.path.iterdir()):
            self.path.rmdir()
        self.book = Book()
        self.numbers = {kind: {} for kind in _NUMBERED}
        self.begun = set()

    @property
    def _begun_file(self) -> Path:
        return self.path / "begun.json"

    def _load_begun(self) -> None:
        """The networks and their numbers, which stay taken while something of them may stand."""
        try:
            kept = {str(id): int(number) for id, number in json.loads(read_text(self._begun_file) or "{}").items()}
        except (ValueError, TypeError, AttributeError) as error:
            log.warn("{file} cannot be read and is left out: {error}", file=str(self._begun_file), error=str(error))
            return
        self.begun = set(kept)
        for id, number in kept.items():
            if number:
                self.numbers["networks"].setdefault(id, number)

    def _write_begun(self) -> None:
        if self.begun:
            kept = {id: self.numbers["networks"].get(id, 0) for id in sorted(self.begun)}
            write_whole(self._begun_file, json.dumps(kept, indent=1) + "\n")
        else:
            self._begun_file.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> TransientFailure:
        return TransientFailure(f"The state folder {self.path} cannot be written: {error}.")

    def _with_all_on(self, change: WiringChange) -> WiringChange:
        """The change, and with each network that goes also its ports, and the addresses that lead to them."""
        gone = set(change.remove_networks) - {network.id for network in change.networks}
        ports = {port.id for port in self.book.ports.values() if port.network_id in gone}
        floating = [one.id for one in self.book.floating_ips.values() if one.port_id in ports]
        return evolve(change, remove_ports=(*change.remove_ports, *ports),
                      remove_floating_ips=(*change.remove_floating_ips, *floating))

    def _load(self, kind: str, record_type: type[Any], file: Path) -> None:
        try:
            kept = json.loads(read_text(file))
            record = wire.load(record_type, kept["record"])
            number = int(kept.get("number", 0))
        except (ValueError, KeyError, TypeError, Malformed) as error:
            log.warn("{file} cannot be read and is left out: {error}", file=str(file), error=str(error))
            return
        getattr(self.book, kind)[record.id] = record
        if kind in _NUMBERED:
            self.numbers[kind][record.id] = number

    def _write(self, kind: str, record: Any) -> None:
        kept = {"record": wire.dump(record)}
        if kind in _NUMBERED:
            kept["number"] = self._number(kind, record.id)
        write_whole(self.path / kind / f"{record.id}.json", json.dumps(kept, indent=1) + "\n")

    def _remove(self, kind: str, ids: Iterable[str]) -> None:
        for id in ids:
            if id not in getattr(self.book, kind):
                (self.path / kind / f"{id}.json").unlink(missing_ok=True)
                if id not in self.begun:
                    self.numbers.get(kind, {}).pop(id, None)

    def _number(self, kind: str, id: str) -> int:
        numbers = self.numbers[kind]
        if id not in numbers:
            taken = set(numbers.values())
            free = next((number for number in range(1, LAST_NUMBER) if number not in taken), None)
            if free is None:
                raise TransientFailure(f"This host has no number left for one more of its {kind}.")
            numbers[id] = free
        return numbers[id]
