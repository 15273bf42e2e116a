"""What a scheduler algorithm offers; algorithms are named in the entry point group ``stackd.schedulers``."""

from collections.abc import Sequence

from zope.interface import Interface

from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking


class ISchedulerAlgorithm(Interface):
    """Chooses among hosts; pure and synchronous, its randomness was handed to its constructor."""

    def rank(request: PlacementRequest, hosts: Sequence[Host]) -> Ranking:
        """The hosts that fit, best first, and one refusal with a reason for each that does not."""
