"""Whether hosts are gone, or the cloud does not hear them: a broker, database or conductor that is away silences all.

Hosts fail one by one. When most of them fell silent together it is rather the cloud that is deaf, and who waits for a
host had better wait on than be told that there is none. The scheduler asks.
"""

from collections.abc import Collection

from stackd.model.hosts import Host

LATELY = 600.0
"""Hosts silent for so many seconds count as gone, whatever silenced them."""


def deaf(hosts: Collection[Host], now: float, lately: float = LATELY) -> bool:
    """Whether fewer than half of the hosts that were there lately are heard of; ``now`` in epoch seconds."""
    heard = sum(host.alive for host in hosts)
    missed = sum(not host.alive and now - host.silent_since < lately for host in hosts)
    return heard < missed
