"""From an assignment to what the hypervisor driver needs to make the guest."""

from stackd.model.assignments import InstanceAssignment
from stackd.model.devices import bridge_name, tap_name
from stackd.model.guests import GuestNic, GuestSpec
from stackd.model.networks import Port, PortDesired

DEFAULT_MTU = 1450


def spec_of(assignment: InstanceAssignment) -> GuestSpec:
    """The guest's specification; interfaces in the order of their device index, without those being deleted."""
    instance = assignment.instance
    wanted = (port for port in assignment.ports if port.desired is PortDesired.WIRED)
    return GuestSpec(
        id=instance.id, name=instance.name, vcpus=instance.flavor.vcpus, memory_mib=instance.flavor.memory_mib,
        disk_gib=instance.flavor.disk_gib, image=instance.image,
        nics=tuple(_nic(port, assignment.mtus) for port in sorted(wanted, key=lambda port: port.device_index)),
        reboots=instance.reboots, epoch=instance.placement_epoch)


def _nic(port: Port, mtus: dict[str, int]) -> GuestNic:
    return GuestNic(port_id=port.id, mac=port.mac, tap=tap_name(port.id), bridge=bridge_name(port.network_id),
                    mtu=mtus.get(port.network_id, DEFAULT_MTU))
