"""How workers pace themselves; daemons fill it from the configuration."""

from attrs import frozen

from stackd.rules.plans.instance import PlanSettings


@frozen(kw_only=True)
class WorkerSettings:
    """Seconds and counts. A worker fetches each ``heartbeat`` at the latest, and says what it holds each ``resync``.

    ``builds`` guests at most are prepared or started at once, ``concurrency`` looked at. ``poll`` is how often a
    guest that is shutting down is looked at. ``second_look`` is when what is gone is looked at and told again, after
    which it is forgotten; ``tell_again`` is when what did not change is told again.
    """

    heartbeat: float = 10.0
    resync: float = 60.0
    concurrency: int = 200
    builds: int = 10
    poll: float = 1.0
    second_look: float = 120.0
    tell_again: float = 900.0
    backoff_first: float = 0.5
    backoff_most: float = 15.0
    plan: PlanSettings = PlanSettings()
