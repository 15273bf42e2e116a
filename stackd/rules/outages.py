"""Whether hosts are gone, or the cloud does not hear them: a broker, database or conductor that is away silences all.

Hosts fail one by one. When most of them fell silent together it is rather the cloud that is deaf, and who waits for a
host had better wait on than be told that there is none. The scheduler asks; it sees to it itself that hosts have time
to be heard when an outage is over.
"""

from collections.abc import Collection

from stackd.model.hosts import REMOVED, WORKERS, Host

LATELY = 600.0
"""Hosts silent for so many seconds count as gone, where others are heard."""

AT_MOST = 3600.0
"""The same where nobody is heard at all: a cloud of one host must own up some day that it has none."""


def deaf(hosts: Collection[Host], now: float) -> bool:
    """Whether fewer than half of the hosts that were there lately are heard of; ``now`` in epoch seconds."""
    nobody = all(set(host.silent) == set(WORKERS) for host in hosts)
    lately = AT_MOST if nobody else LATELY
    heard = sum(host.alive for host in hosts)
    missed = sum(not host.alive and (host.enabled or host.disabled_reason != REMOVED)
                 and now - host.silent_since < lately for host in hosts)
    return heard < missed
