"""The libvirt driver passes the contract of all hypervisors, with real QEMU guests."""

from stackd.testing.contracts.hypervisor import HypervisorContract
from tests.live.libvirt_fixtures import bench, guest_image, libvirtd

__all__ = ["bench", "guest_image", "libvirtd"]


class TestLibvirt(HypervisorContract):
    """The contract over a private libvirtd."""
