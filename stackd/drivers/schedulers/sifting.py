"""Sifting: ask filters in order about each host; the first no is its refusal. Every algorithm begins with it."""

from collections.abc import Sequence
from typing import Protocol

from stackd.drivers.schedulers.filters import alive, architecture, cabling, disk, enabled, memory, named, vcpus, zone
from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Refusal


class Filter(Protocol):
    """A module of ``filters``."""

    NAME: str

    def refuse(self, request: PlacementRequest, host: Host) -> No | None:
        """No with a reason, or None for yes."""


ROOM: tuple[Filter, ...] = (vcpus, memory, disk)
STANDING: tuple[Filter, ...] = (enabled, alive, named, cabling)
ALL: tuple[Filter, ...] = (*STANDING, zone, architecture, *ROOM)


def sift(filters: Sequence[Filter], request: PlacementRequest,
         hosts: Sequence[Host]) -> tuple[list[Host], list[Refusal]]:
    """The hosts every filter says yes to, and the first refusal of each other one."""
    fitting: list[Host] = []
    refused: list[Refusal] = []
    for host in hosts:
        for one in filters:
            no = one.refuse(request, host)
            if no is not None:
                refused.append(Refusal(host=host.name, filter=one.NAME, reason=no.reason, nearness=no.nearness))
                break
        else:
            fitting.append(host)
    return fitting, refused
