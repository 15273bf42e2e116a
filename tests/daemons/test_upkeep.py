"""A host's own libvirtd that ended is started again, also when a first try fails."""

from twisted.internet.task import Clock

from stackd import errors
from stackd.daemons.upkeep import INTERVAL_SECONDS, Upkeep
from stackd.store.executors import InlineExecutor


class Libvirtd:
    """Runs, or not, and may refuse to start."""

    def __init__(self) -> None:
        """It runs."""
        self.runs = True
        self.refusals = 0

    def ensure(self) -> str:
        """Start it when it does not run."""
        if self.runs:
            return ""
        if self.refusals:
            self.refusals -= 1
            raise errors.TransientFailure("libvirtd did not start.")
        self.runs = True
        return "libvirtd"


def test_what_ended_is_started_again_until_the_daemon_stops() -> None:
    clock, libvirtd = Clock(), Libvirtd()
    upkeep = Upkeep(libvirtd.ensure, InlineExecutor(), clock)
    upkeep.startService()
    libvirtd.runs, libvirtd.refusals = False, 1
    clock.advance(INTERVAL_SECONDS)
    assert not libvirtd.runs
    clock.advance(INTERVAL_SECONDS)
    assert libvirtd.runs
    upkeep.stopService()
    assert not clock.getDelayedCalls()
