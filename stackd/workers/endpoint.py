"""What a worker serves on the bus: wakes make it fetch, and calls are answered from its host."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import implementer

from stackd.interfaces.bus import Body, IEndpoint
from stackd.interfaces.hypervisor import IHypervisor

MOST_CONSOLE = 256 * 1024
"""Bytes of a console that fit into one message with ease."""


@implementer(IEndpoint)
class WorkerEndpoint:
    """At ``compute@HOST`` or ``network@HOST``."""

    def __init__(self, woken: Callable[[float], None], calls: dict[str, Callable[[Body], Awaitable[Any]]]) -> None:
        """``woken`` is called for each wake with the seconds it may take; ``calls`` are answered."""
        self._woken = woken
        self.calls = calls

    def woken(self, body: Body) -> None:
        """Fetch soon; within the seconds the wake gives, if it does."""
        self._woken(float(body.get("within", 0.0)))

    async def reported(self, body: Body) -> None:
        """Nobody reports to a worker; such a message is taken and forgotten."""


def compute_calls(hypervisor: IHypervisor) -> dict[str, Callable[[Body], Awaitable[Any]]]:
    """The questions a compute worker answers from its hypervisor."""

    async def console_output(body: Body) -> str:
        length = min(int(body["length"]), MOST_CONSOLE)
        return b64encode(await hypervisor.console_output(str(body["instance_id"]), length)).decode()

    return {"console_output": console_output}
