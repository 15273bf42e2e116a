"""What a network driver offers; drivers are named in the entry point group ``stackd.networks``.

Raises only ``errors.DriverFailure`` leaves and ``errors.NotSupported``. The network worker calls it;
``stackd/testing/contracts/network.py`` is the suite every driver passes.
"""

import socket
from collections.abc import Hashable

from zope.interface import Interface

from stackd.model.wirings import ObservedWiring, WiringChange


class INetworkDriver(Interface):
    """The wiring of one host: bridges, DHCP, anti-spoofing, groups, SNAT, floating addresses."""

    async def observe() -> ObservedWiring:
        """What stands on this host now, found out by looking at it, also after the driver object was rebuilt."""

    async def apply(change: WiringChange) -> None:
        """Bring the change about as one atomic ruleset; ids not named in it are left as they are.

        Wiring a port does not need its tap to exist yet: rules name the tap, the hypervisor makes it.
        """

    async def clean() -> None:
        """Remove everything that carries this driver's mark, and nothing else; for ``make down`` and tests."""

    async def close() -> None:
        """Let go of threads; what is wired stays wired, and DHCP servers run on."""


class IRouters(Interface):
    """An optional ability, asked for with ``providedBy``: each network has a router on this host.

    The host's metadata service listens in it, so that it knows by the socket on which network a guest asks.
    """

    async def networks() -> tuple[str, ...]:
        """The ids of the networks wired or about to be; cheap enough to ask every second."""

    def router_identity(network_id: str) -> Hashable:
        """What tells a network's router from a later one made anew; None while there is none."""

    def metadata_socket(network_id: str) -> socket.socket:
        """A new non-blocking socket that listens on 169.254.169.254 in a router; raises ``OSError``."""
