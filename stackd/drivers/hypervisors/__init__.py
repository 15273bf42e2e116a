"""Hypervisor drivers: ``fake`` (guests in memory) and ``libvirt`` (QEMU guests by a libvirtd)."""
