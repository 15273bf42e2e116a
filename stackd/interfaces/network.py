"""What a network driver offers; drivers are named in the entry point group ``stackd.networks``.

Raises only ``errors.DriverFailure`` leaves and ``errors.NotSupported``. The network worker calls it;
``stackd/testing/contracts/network.py`` is the suite every driver passes.
"""

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
