"""What ``stack-registry`` answers on the bus: the calls of ``remote.py``, done by the registry on its database.

Arguments and results are read and written by the type hints of the classes that do the work, so that a method is a
call when its name stands in the table.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_type_hints

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from zope.interface import implementer

from stackd.imageservice.registry import Registry
from stackd.imageservice.remote import CALLERS, IMAGES, MEMBERS, REGISTRY
from stackd.imageservice.sharing import Sharing
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.identity import IIdentity
from stackd.model import wire

IMAGE_CALLS = (
    "create", "show", "find", "list", "changeable", "replace", "delete", "deactivate", "reactivate", "begin_upload",
    "still_uploading", "finish_upload", "give_up_upload", "give_up_stalled", "located", "removable", "forget_bytes",
    "keys_in_use")
MEMBER_CALLS = ("members", "show", "add", "answer", "remove")
Call = Callable[[Body], Awaitable[Any]]


def calls_of(provider: Any, prefix: str, names: Sequence[str]) -> dict[str, Call]:
    """These methods of the provider as calls over the bus, named ``prefix.name``."""
    return {f"{prefix}.{name}": _call(getattr(provider, name)) for name in names}


def _call(method: Callable[..., Awaitable[Any]]) -> Call:
    hints = get_type_hints(method)
    hints.pop("return")

    async def answer(body: Body) -> Any:
        return wire.dump(await method(**{name: wire.load(hint, body[name]) for name, hint in hints.items()
                                         if name in body}))

    return answer


@implementer(IEndpoint)
class RegistryEndpoint:
    """What ``stack-registry`` answers."""

    def __init__(self, registry: Registry, sharing: Sharing, identity: IIdentity) -> None:
        """They do the work."""
        self._identity = identity
        self.calls: dict[str, Call] = {
            **calls_of(registry, IMAGES, IMAGE_CALLS), **calls_of(sharing, MEMBERS, MEMBER_CALLS),
            f"{CALLERS}.of_token": self._caller}

    def woken(self, body: Body) -> None:
        """Nothing waits to be looked at."""

    async def reported(self, body: Body) -> None:
        """Nobody reports to the registry; such a message is taken and forgotten."""

    async def _caller(self, body: Body) -> Any:
        return wire.dump(await self._identity.caller_of_token(str(body["token"]), str(body["request_id"])))


class RegistryService(Service):
    """Serves the address ``registry`` as long as it runs."""

    def __init__(self, bus: IMessageBus, endpoint: RegistryEndpoint) -> None:
        """Any number may serve; each question goes to one."""
        self._bus = bus
        self._endpoint = endpoint
        self._subscription: ISubscription | None = None

    def startService(self) -> None:
        """Begin to answer."""
        super().startService()  # type: ignore[no-untyped-call]
        ensureDeferred(self._serve())

    async def _serve(self) -> None:
        self._subscription = await self._bus.serve(REGISTRY, self._endpoint)

    def stopService(self) -> "Deferred[None]":
        """Fires when the last answer is given."""
        super().stopService()  # type: ignore[no-untyped-call]
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        # None while no broker was ever reached: that is not waited for.
        if self._subscription is not None:
            await self._subscription.stop()
