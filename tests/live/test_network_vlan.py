"""Networks in a VLAN: in the lab machine, whose kernel has them. One run: it takes a minute or two."""

import sys

from stackd.testing.lab import vm
from tests.live.libvirt_fixtures import CACHE

PATIENCE = 600.0
"""Seconds; on a machine that is busy elsewhere it takes several times as long."""


def test_a_network_in_a_vlan() -> None:
    """What holds for a flat network holds in VLAN 100: leases, metadata, groups, whole packets, nothing left."""
    checked = f"modprobe br_netfilter && exec {sys.executable} -m tests.live.physical_bench 100 1500"
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = vm.run(["sh", "-c", checked], CACHE / "guestimage", environment, PATIENCE)
    assert ran.status == 0 and "all is well" in ran.output, ran.output[-4000:]
