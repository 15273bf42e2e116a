"""``zone``: any host of the zone asked for, drawn at random."""

from collections.abc import Sequence
from random import Random

from zope.interface import implementer

from stackd.drivers.schedulers.filters import zone
from stackd.drivers.schedulers.sifting import ROOM, STANDING, sift
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking


@implementer(ISchedulerAlgorithm)
class Zone:
    """Uniform choice within a zone."""

    def __init__(self, random: Random) -> None:
        """``random`` draws."""
        self._random = random

    def rank(self, request: PlacementRequest, hosts: Sequence[Host]) -> Ranking:
        """All of the zone that fit, shuffled."""
        fitting, refused = sift((*STANDING, zone, *ROOM), request, hosts)
        self._random.shuffle(fitting)
        return Ranking(hosts=tuple(fitting), refusals=tuple(refused))
