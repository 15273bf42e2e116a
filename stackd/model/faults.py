"""Faults and phases: why a generation cannot be reached, and where a resource stands."""

from enum import Enum

from attrs import frozen


class FaultCode(Enum):
    """The kinds of fault; each API has a word for every one of them."""

    NO_CAPACITY = "no_capacity"
    """No host had room before the deadline."""
    IMAGE = "image"
    """The image vanished, or its bytes cannot be used."""
    NETWORK = "network"
    """The network could not be made on the host."""
    HYPERVISOR = "hypervisor"
    """The hypervisor refused for good."""
    HOST_LOST = "host_lost"
    """The host is gone and the resource went with it."""
    INTERNAL = "internal"
    """A defect; the detail is for the operator."""


@frozen(kw_only=True)
class Fault:
    """Why ``generation`` of a resource cannot be reached.

    ``message`` is for the user, ``detail`` for the operator only; ``at`` in epoch seconds.
    """

    code: FaultCode
    generation: int
    message: str
    detail: str = ""
    at: float = 0.0


class Steady(Enum):
    """The last state a resource reached (the first half of a phase)."""

    BUILDING = "building"
    """Never reached any state yet."""
    ACTIVE = "active"
    STOPPED = "stopped"
    PAUSED = "paused"
    ERROR = "error"
    """A fault of the present generation stands."""
    DELETED = "deleted"


class Transition(Enum):
    """What is still under way (the second half); NONE when observed matches desired."""

    NONE = "none"
    SCHEDULING = "scheduling"
    """Waits for a host."""
    NETWORKING = "networking"
    """Waits for its ports to be wired on the host."""
    SPAWNING = "spawning"
    """The guest is being made."""
    POWERING_ON = "powering_on"
    POWERING_OFF = "powering_off"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    DELETING = "deleting"


@frozen
class Phase:
    """(steady, transition, reason): derived by ``rules.phases``; both APIs are tables over it.

    ``reason`` is a fault's message for the user, else empty.
    """

    steady: Steady
    transition: Transition
    reason: str = ""
