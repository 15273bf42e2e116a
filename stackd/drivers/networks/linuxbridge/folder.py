"""The driver's memory: one JSON file for each wired thing, so that a rebuilt driver can render everything again.

A file says what is wanted, never what stands: ``observe`` asks the kernel. Ports and networks also keep a number
here, which is their packet mark and connection tracking zone for as long as they are wired.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
        for kind, record_type in KINDS.items():
            for file in sorted((path / kind).glob("*.json")):
                self._load(kind, record_type, file)

    def enter(self, change: WiringChange) -> None:
        """Keep the change in the book and on disk. Raises ``TransientFailure``."""
        self.book.enter(change)
        try:
            for kind in KINDS:
                self._remove(kind, getattr(change, f"remove_{kind}"))
                for record in getattr(change, kind):
                    self._write(kind, record)
        except OSError as error:
            raise TransientFailure(f"The state folder {self.path} cannot be written: {error}.") from None

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
        if self.path.exists() and not any(self.path.iterdir()):
            self.path.rmdir()
        self.book = Book()
        self.numbers = {kind: {} for kind in _NUMBERED}

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
