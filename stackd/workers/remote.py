"""``IAssignments`` over the bus: how a host, which has no database, asks and tells the conductor."""

from base64 import b64decode

from attrs import frozen
from zope.interface import implementer

from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.bus import IMessageBus
from stackd.model import wire
from stackd.model.assignments import Assignments, FetchRequest, Hello, Report
from stackd.rules.ownership import CONDUCTOR


@implementer(IAssignments)
@frozen
class RemoteAssignments:
    """Calls and reports to whichever conductor answers; a question not answered within ``patience`` seconds fails."""

    _bus: IMessageBus
    _patience: float = 15.0

    async def hello(self, hello: Hello) -> int:
        """The new session."""
        return int(await self._bus.call(CONDUCTOR, "hello", wire.dump(hello), self._patience))

    async def fetch(self, request: FetchRequest) -> Assignments:
        """One page."""
        return wire.load(Assignments, await self._bus.call(CONDUCTOR, "fetch", wire.dump(request), self._patience))

    async def report(self, report: Report) -> None:
        """Returns when the bus keeps it."""
        await self._bus.report(CONDUCTOR, wire.dump(report))

    async def user_data(self, host: str, instance_id: str) -> bytes:
        """The bytes a user gave to the launch."""
        body = {"host": host, "instance_id": instance_id}
        return b64decode(await self._bus.call(CONDUCTOR, "user_data", body, self._patience))
