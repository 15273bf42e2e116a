"""The one way between a host and the cloud. The conductor serves it on the store, ``workers/remote.py`` speaks it."""

from zope.interface import Interface

from stackd.model.assignments import Assignments, FetchRequest, Hello, Report


class IAssignments(Interface):
    """Hosts ask and tell; they never touch the database."""

    async def hello(hello: Hello) -> int:
        """A worker has started: keep its host's capacity, raise its session and return the new one."""

    async def fetch(request: FetchRequest) -> Assignments:
        """The rows this worker must care about that were stamped above what it knows, a page at a time.

        Fetching is the heartbeat.
        """

    async def report(report: Report) -> None:
        """Hand over observations, at least once; returns when they are safe (queued durably or applied)."""

    async def user_data(host: str, instance_id: str) -> bytes:
        """The user data of an instance of this host; empty when there is none."""
