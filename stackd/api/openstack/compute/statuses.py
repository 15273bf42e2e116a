"""Nova's words for where an instance stands: one table over every phase."""

from itertools import product

from attrs import frozen

from stackd.model.faults import Steady, Transition

NO_STATE, RUNNING, PAUSED, SHUTDOWN = 0, 1, 3, 4


@frozen
class Standing:
    """What a server shows: ``status``, ``vm_state``, ``task_state`` and ``power_state``."""

    status: str
    vm_state: str
    task_state: str | None
    power_state: int


# Steady -> status, vm_state, power_state.
_STEADY = {
    Steady.BUILDING: ("BUILD", "building", NO_STATE),
    Steady.ACTIVE: ("ACTIVE", "active", RUNNING),
    Steady.STOPPED: ("SHUTOFF", "stopped", SHUTDOWN),
    Steady.PAUSED: ("PAUSED", "paused", PAUSED),
    Steady.ERROR: ("ERROR", "error", NO_STATE),
    Steady.DELETED: ("DELETED", "deleted", NO_STATE),
}
_TASKS = {
    Transition.NONE: None,
    Transition.SCHEDULING: "scheduling",
    Transition.NETWORKING: "networking",
    Transition.SPAWNING: "spawning",
    Transition.POWERING_ON: "powering-on",
    Transition.POWERING_OFF: "powering-off",
    Transition.REBOOTING: "rebooting",
    Transition.REBOOTING_HARD: "rebooting_hard",
    Transition.DELETING: "deleting",
}
# These are statuses of their own while a guest is up or on its way there.
_REBOOTS = {Transition.REBOOTING: "REBOOT", Transition.REBOOTING_HARD: "HARD_REBOOT"}
_REBOOTABLE = (Steady.ACTIVE, Steady.STOPPED, Steady.PAUSED)


def _standing(steady: Steady, transition: Transition) -> Standing:
    status, vm_state, power_state = _STEADY[steady]
    if steady in _REBOOTABLE:
        status = _REBOOTS.get(transition, status)
    return Standing(status, vm_state, _TASKS[transition], power_state)


TABLE = {(steady, transition): _standing(steady, transition) for steady, transition in product(Steady, Transition)}
STATUSES = frozenset(standing.status for standing in TABLE.values())

# Statuses of Nova that no server here ever has, and one that is no status but is asked for.
KNOWN = STATUSES | frozenset({
    "MIGRATING", "PASSWORD", "REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED",
    "SOFT_DELETED", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE"})


def phases_of(statuses: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The phases, in the words they are stored in, that show one of these statuses."""
    return tuple((steady.value, transition.value) for (steady, transition), standing in TABLE.items()
                 if standing.status in statuses)
