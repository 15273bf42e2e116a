"""``simple``: the least loaded host first, by virtual CPUs in use."""

from collections.abc import Sequence
from random import Random

from zope.interface import implementer

from stackd.drivers.schedulers.filters import zone
from stackd.drivers.schedulers.sifting import ROOM, STANDING, sift
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking


@implementer(ISchedulerAlgorithm)
class Simple:
    """Least CPUs in use wins; among equals, chance."""

    def __init__(self, random: Random) -> None:
        """``random`` breaks ties."""
        self._random = random

    def rank(self, request: PlacementRequest, hosts: Sequence[Host]) -> Ranking:
        """All that fit, least loaded first."""
        fitting, refused = sift((*STANDING, zone, *ROOM), request, hosts)
        self._random.shuffle(fitting)
        fitting.sort(key=lambda host: host.used_vcpus)
        return Ranking(hosts=tuple(fitting), refusals=tuple(refused))
