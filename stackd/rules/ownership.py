"""Owners: the one daemon that must act on a row now, computed from the row itself."""

from stackd.model.addresses import FloatingIP
from stackd.model.instances import Instance, InstanceDesired
from stackd.model.networks import Port, PortDesired, WiringState
from stackd.rules.phases import all_wired

NOBODY = ""
SCHEDULER = "scheduler"
CONDUCTOR = "conductor"


def compute(host: str) -> str:
    """The bus address of a host's compute worker."""
    return f"compute@{host}"


def network(host: str) -> str:
    """The bus address of a host's network worker."""
    return f"network@{host}"


def owner_of_instance(instance: Instance, ports: tuple[Port, ...] = ()) -> str:
    """Who must act on an instance: the scheduler until placed, then its host; the conductor ends what never ran."""
    if instance.ended_at is not None:
        return NOBODY
    if not instance.host:
        if instance.desired is InstanceDesired.DELETED:
            return CONDUCTOR
        return NOBODY if instance.fault else SCHEDULER
    if instance.desired is InstanceDesired.DELETED:
        return compute(instance.host)
    if instance.fault is not None or instance.observed.generation == instance.generation:
        return NOBODY
    if instance.desired is InstanceDesired.RUNNING and not all_wired(ports):
        return network(instance.host)
    return compute(instance.host)


def owner_of_port(port: Port) -> str:
    """Who must act on a port: its host's network worker until observed as desired."""
    if not port.host:
        return NOBODY
    target = WiringState.WIRED if port.desired is PortDesired.WIRED else WiringState.ABSENT
    done = port.observed is target and port.observed_generation == port.generation
    return NOBODY if done else network(port.host)


def owner_of_floating_ip(address: FloatingIP) -> str:
    """Who must act on a floating address: the host that holds it until it withdrew, then the host of its port."""
    wanted = "" if address.deleted else address.host
    if address.holder and address.holder != wanted:
        return network(address.holder)
    if not wanted or (address.observed is WiringState.WIRED and address.observed_generation == address.generation):
        return NOBODY
    return network(wanted)
