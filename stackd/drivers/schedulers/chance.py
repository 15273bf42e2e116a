"""``chance``: any host with room, drawn at random. Zones are not looked at, as in Cactus."""

from collections.abc import Sequence
from random import Random

from zope.interface import implementer

from stackd.drivers.schedulers.sifting import ROOM, STANDING, sift
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking


@implementer(ISchedulerAlgorithm)
class Chance:
    """Uniform choice."""

    def __init__(self, random: Random) -> None:
        """``random`` draws."""
        self._random = random

    def rank(self, request: PlacementRequest, hosts: Sequence[Host]) -> Ranking:
        """All that fit, shuffled."""
        fitting, refused = sift((*STANDING, *ROOM), request, hosts)
        self._random.shuffle(fitting)
        return Ranking(hosts=tuple(fitting), refusals=tuple(refused))
