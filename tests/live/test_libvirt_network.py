"""A real guest on a bridge in a namespace: DHCP, metadata, user data, and ssh with the key it was given."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import pytest_twisted

from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.model.guests import GuestNic
from stackd.testing.contracts.hypervisor import running
from tests.live.libvirt_fixtures import CACHE, LibvirtBench, bench, guest_image
from tests.live.test_libvirt_guests import said

__all__ = ["bench", "guest_image"]

NIC = GuestNic(port_id="1" * 32, mac="02:00:00:00:00:02", tap="tap11111111111", bridge="br0", mtu=1450)
USER_DATA = "#!/bin/sh\necho user data speaks\n"


def run(namespace: str, *argv: str) -> str:
    """What a command printed inside a namespace."""
    return subprocess.run(["ip", "netns", "exec", namespace, *argv], check=True, timeout=30, capture_output=True,
                          text=True).stdout


class Lan:
    """A namespace with a bridge, a DHCP server, metadata as files behind HTTP, and a libvirtd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"sv{token_hex(3)}"
        self.key = folder / "key"
        self._children: list[subprocess.Popen[bytes]] = []
        subprocess.run(["ip", "netns", "add", self.name], check=True, timeout=10)
        self.libvirtd = PrivateLibvirtd(folder / "h", namespace=self.name, cache=CACHE / "capabilities")

    def up(self) -> None:
        """Everything a guest asks for answers."""
        for words in ("link set lo up", "link add br0 type bridge", "link set br0 mtu 1450 up",
                      "addr add 10.9.0.1/24 dev br0", "addr add fd00:9::1/64 dev br0 nodad",
                      "addr add 169.254.169.254/32 dev br0"):
            run(self.name, "ip", *words.split())
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True, timeout=10)
        latest = self.folder / "web/latest"
        for path, text in (("meta-data/instance-id", "i-0123"), ("meta-data/local-hostname", "moon.novalocal"),
                           ("meta-data/public-keys/0/openssh-key", self.key.with_suffix(".pub").read_text()),
                           ("user-data", USER_DATA)):
            (latest / path).parent.mkdir(parents=True, exist_ok=True)
            (latest / path).write_text(text)
        self._child(sys.executable, "-m", "http.server", "80", "--bind", "169.254.169.254", "--directory",
                    str(self.folder / "web"))
        self._child("dnsmasq", "--keep-in-foreground", "--conf-file=", "--port=0", "--interface=br0",
                    "--bind-interfaces", "--dhcp-range=10.9.0.0,static,255.255.255.0,120s", "--dhcp-authoritative",
                    "--enable-ra", "--dhcp-range=fd00:9::,ra-only",
                    f"--dhcp-host={NIC.mac},10.9.0.2", "--dhcp-option=option:mtu,1450", "--user=root",
                    f"--dhcp-leasefile={self.folder}/leases", "--pid-file=")
        self.libvirtd.start()

    def _child(self, *argv: str) -> None:
        self._children.append(subprocess.Popen(["ip", "netns", "exec", self.name, *argv], stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def down(self) -> None:
        """Nothing is left."""
        self.libvirtd.wipe()
        for child in self._children:
            child.kill()
            child.wait(10)
        subprocess.run(["ip", "netns", "del", self.name], check=True, timeout=10)


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A namespace of its own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="sv") as folder:
        made = Lan(Path(folder))
        try:
            made.up()
            yield made
        finally:
            made.down()


@pytest.fixture
def libvirtd(lan: Lan) -> PrivateLibvirtd:
    """The one inside the namespace."""
    return lan.libvirtd


@pytest_twisted.ensureDeferred
async def test_a_guest_finds_its_address_its_metadata_and_lets_its_owner_in(lan: Lan, bench: LibvirtBench) -> None:
    driver: Any = bench.driver()
    spec = await running(bench, driver, nics=(NIC,))
    link = run(lan.name, "ip", "-o", "link", "show", NIC.tap)
    assert "mtu 1450" in link and "master br0" in link

    text = (await said(driver, spec.id, b"tiny: ready")).decode()
    for words in ("dhcp ok eth0 10.9.0.2/24", "instance-id=i-0123", "user data speaks", "hostkey ssh-ed25519"):
        assert words in text
    host_key = next(line for line in text.splitlines() if "hostkey" in line).split("hostkey ")[1]
    known = lan.folder / "known"
    known.write_text(f"10.9.0.2 {' '.join(host_key.split()[:2])}\n")
    told = run(lan.name, "ssh", "-i", str(lan.key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}",
               "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "root@10.9.0.2",
               "hostname; cat /sys/class/net/eth0/mtu; "
               # A router may take seconds to answer a solicitation.
               "for second in $(seq 20); do "
               "ip -6 -o addr show dev eth0 scope global | grep fd00 && break; sleep 1; done")
    assert told.split()[:2] == ["moon", "1450"]
    assert "fd00:9::" in told, "it has an address from the router's advertisement too"
