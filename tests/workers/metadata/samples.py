"""An assignment with everything the metadata service can show."""

from attrs import evolve

from stackd.model.assignments import InstanceAssignment
from stackd.model.images import ImageFile
from stackd.model.networks import FixedIP, GroupName, PortDesired
from stackd.testing.records import IMAGE, a_port, an_instance

NETWORK = "1" * 32
SUBNET = "2" * 32
KEY = "ssh-ed25519 AAAAC3 me@home"
KERNEL = ImageFile(id="8" * 32, disk_format="aki", size=1, checksum="0" * 32)


def rich() -> InstanceAssignment:
    """Two interfaces, a floating address, an IPv6 one, a key, tags, kernel and user data."""
    instance = an_instance(
        image=evolve(IMAGE, kernel=KERNEL), key_name="mine", public_key=KEY + "\n", launch_index=3,
        has_user_data=True, metadata={"role": "db", "a/b": "not a path"})
    first = a_port(id="f" * 32, groups=(GroupName(id="9" * 32, name="default"),), fixed_ips=(
        FixedIP(subnet_id=SUBNET, address="10.0.0.5", floating_ip="203.0.113.10"),
        FixedIP(subnet_id="3" * 32, address="fd00::5")))
    second = a_port(id="e" * 32, mac="fa:16:3e:00:00:02", device_index=1, network_id="4" * 32,
                    fixed_ips=(FixedIP(subnet_id="5" * 32, address="10.1.0.5"),))
    leaving = a_port(id="6" * 32, mac="fa:16:3e:00:00:03", desired=PortDesired.DELETED)
    return InstanceAssignment(instance=instance, ports=(second, first, leaving), mtus={NETWORK: 1400})


def plain() -> InstanceAssignment:
    """One interface and nothing else."""
    return InstanceAssignment(instance=an_instance(), ports=(
        a_port(fixed_ips=(FixedIP(subnet_id=SUBNET, address="10.0.0.6"),)),))
