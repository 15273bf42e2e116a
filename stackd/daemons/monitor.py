"""The port where operators and their monitoring look at a daemon: ``[monitor]`` of its configuration.

``split`` adds it to every daemon; a worker of several tells its master instead, who tells of all (``prefork_monitor``).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.web.resource import Resource

from stackd.api.sites import ToldSite
from stackd.config.sections import Monitor
from stackd.daemons.health import WITHIN, Check, Checks, Patient, health_root
from stackd.daemons.listening import Listener, Places
from stackd.daemons.plainparts import PlainParts
from stackd.interfaces.measuring import IChecked


def monitor(parts: PlainParts, service: Any, hindrance: Callable[[], str] = str) -> Listener | None:
    """The listener of the daemon ``service``, as configured; None where nobody looks.

    ``hindrance`` tells what keeps a service that is empty from beginning.
    """
    root = health_root(checks_of(parts, service, hindrance), parts.metrics.text)
    if parts.monitor_socket:
        Path(parts.monitor_socket).unlink(missing_ok=True)  # left behind by a worker that was killed
        endpoint = UNIXServerEndpoint(parts.reactor, parts.monitor_socket, mode=0o600, wantPID=False)
        return Listener(parts.reactor, endpoint, parts.monitor_socket, ToldSite(root))
    section = parts.config.monitor
    return listening(parts.reactor, section, root) if section.port else None


def listening(reactor: Any, section: Monitor, root: Resource) -> Listener:
    """A service that serves this at the configured port."""
    return Places(reactor, section.host, 0.0).listener(section.port, ToldSite(root))


def checks_of(parts: PlainParts, service: Any, hindrance: Callable[[], str]) -> Checks:
    """All checks of a daemon: of its bus, its database where it has one, and of its services."""
    patient: dict[str, Patient] = {}

    def begun() -> str:
        return "" if any(True for _ in service) else f"Not begun yet. {hindrance()}".strip()

    def checks() -> Mapping[str, Check]:
        found: dict[str, Check] = {"begun": begun, "bus": lambda: bus_complaint(parts), **parts.checks()}
        for name, look in _of_services(service):
            found[name] = patient.setdefault(name, Patient(
                parts.reactor, look, WITHIN, f"{name} did not answer within {WITHIN:g} s."))
        return found

    return checks


def bus_complaint(parts: PlainParts) -> str:
    """Whether the bus takes messages; one within the process always does."""
    complaint: Callable[[], str] = getattr(parts.bus, "complaint", str)
    return complaint()


def _of_services(service: Any) -> Any:
    if IChecked.providedBy(service):
        yield from service.checks().items()
    if IServiceCollection.providedBy(service):
        for each in service:
            yield from _of_services(each)
