"""Hosts: capacity, usage and whether their workers are alive."""

from attrs import frozen

COMPUTE = "compute"
NETWORK = "network"
WORKERS = (COMPUTE, NETWORK)
"""The workers each host has."""
REMOVED = "removed by the operator"
"""Why a host is disabled that was declared dead: what it was to remove is taken for gone while it is silent."""
REMOVAL_REFUSED = "to be removed by the operator"
"""Why a host is disabled that was not removed yet, for instances are on it."""


@frozen(kw_only=True)
class HostCapacity:
    """What a hypervisor can carry; memory in MiB, disk in GiB."""

    vcpus: int
    memory_mib: int
    disk_gib: int
    hypervisor_type: str = "fake"
    hypervisor_version: int = 1
    """major * 1000000 + minor * 1000 + release, as libvirt counts."""
    architecture: str = "x86_64"
    virt_type: str = "fake"
    """``kvm``, ``qemu`` or ``fake``."""
    hypervisor_hostname: str = ""


@frozen(kw_only=True)
class Host:
    """One compute host as the scheduler and the admin see it; ``used_*`` count what is claimed.

    ``last_seen`` is the last fetch of its compute worker in epoch seconds of database time.
    """

    id: str
    name: str
    zone: str
    enabled: bool = True
    disabled_reason: str = ""
    capacity: HostCapacity
    vcpus: int = 0
    """What may be claimed, over-commitment included; likewise memory and disk."""
    memory_mib: int = 0
    disk_gib: int = 0
    used_vcpus: int = 0
    used_memory_mib: int = 0
    used_disk_gib: int = 0
    instances: int = 0
    physical_networks: tuple[str, ...] = ()
    """Names of the physical networks it is on."""
    last_seen: float = 0.0
    silent: tuple[str, ...] = WORKERS
    """Those of its workers that were not heard of lately."""
    silent_since: float = 0.0
    """When the last of these was heard of, in epoch seconds of database time."""

    @property
    def alive(self) -> bool:
        """Whether it may get placements: guests need both of its workers to start."""
        return not self.silent

    @property
    def computes(self) -> bool:
        """Whether its compute worker answers, which is what users mean by a host that is up."""
        return COMPUTE not in self.silent


@frozen(kw_only=True)
class WorkerContact:
    """When a worker of a host (or a control daemon) was last heard of; epoch seconds of database time."""

    host: str
    worker: str
    """``compute``, ``network``, ``volume``, ``scheduler``, ``conductor``."""
    session: int
    last_seen: float
    alive: bool
