"""The flavors every new cloud has: EC2's common instance types by their names, and the Cactus m1 family.

vCPUs and memory are those AWS publishes for the type; EC2 sizes no root disk by type, so the disks are ours, small
enough for a demonstration. Ids never change: scripts keep them. ``core.flavors.seed`` inserts what is missing.
"""

from stackd.model.flavors import Flavor

_M1: tuple[tuple[str, str, int, int, int], ...] = (
    # id, name, vCPUs, MiB, GiB
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
)

_EC2: tuple[tuple[str, int, int, int], ...] = (
    ("t2.nano", 1, 512, 1),
    ("t2.micro", 1, 1024, 4),
    ("t2.small", 1, 2048, 8),
    ("t2.medium", 2, 4096, 16),
    ("t2.large", 2, 8192, 32),
    ("t3.nano", 2, 512, 1),
    ("t3.micro", 2, 1024, 4),
    ("t3.small", 2, 2048, 8),
    ("t3.medium", 2, 4096, 16),
    ("t3.large", 2, 8192, 32),
    ("t3.xlarge", 4, 16384, 64),
    ("m5.large", 2, 8192, 32),
    ("m5.xlarge", 4, 16384, 64),
    ("m5.2xlarge", 8, 32768, 128),
    ("c5.large", 2, 4096, 32),
    ("c5.xlarge", 4, 8192, 64),
    ("r5.large", 2, 16384, 32),
    ("r5.xlarge", 4, 32768, 64),
)

DEFAULTS: tuple[Flavor, ...] = tuple(
    Flavor(id=id, name=name, vcpus=vcpus, memory_mib=memory, disk_gib=disk)
    for id, name, vcpus, memory, disk in
    (*_M1, *((name, name, vcpus, memory, disk) for name, vcpus, memory, disk in _EC2)))
