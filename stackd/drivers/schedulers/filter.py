"""``filter``, the default: every filter, then the sum of weights; near equals are shuffled.

Shuffling among hosts of nearly the same weight keeps several schedulers from all choosing the same one.
"""

from collections.abc import Sequence
from random import Random

from zope.interface import implementer

from stackd.drivers.schedulers.sifting import ALL, sift
from stackd.drivers.schedulers.weights import memory, vcpus
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking

WEIGHTS = (memory, vcpus)
STEP = 0.05
"""Sums of weights that differ by less count as equal."""


@implementer(ISchedulerAlgorithm)
class FilterAlgorithm:
    """Filters, then weights."""

    def __init__(self, random: Random) -> None:
        """``random`` shuffles near equals."""
        self._random = random

    def rank(self, request: PlacementRequest, hosts: Sequence[Host]) -> Ranking:
        """All that fit, best first."""
        fitting, refused = sift(ALL, request, hosts)
        self._random.shuffle(fitting)
        fitting.sort(key=lambda host: -int(sum(weight.weigh(request, host) for weight in WEIGHTS) / STEP))
        return Ranking(hosts=tuple(fitting), refusals=tuple(refused))
