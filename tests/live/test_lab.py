"""Several real hosts, brought up and taken down by the command, as a user would: guests on each of them meet."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stackd.model import ids, kinds
from stackd.testing.lab.clients import openstack_client
from stackd.testing.lab.site import Site
from tests.live.real_cloud import wait

HOSTS = 3
METADATA = "http://169.254.169.254/latest/meta-data"


class Lab:
    """A running lab, its clients and its outside."""

    def __init__(self, state: Path) -> None:
        """Nothing runs yet."""
        self.state = state

    def command(self, action: str, *words: str) -> str:
        """What ``stackd lab`` says."""
        argv = [sys.executable, "-m", "stackd.cli.main", "lab", action, "--state", str(self.state), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> str:
        """Bring it up."""
        return self.command("up", "--hosts", str(HOSTS))

    @property
    def site(self) -> Site:
        """The site, as another process takes it up."""
        return Site(self.state)

    def running(self, host: str) -> list[Path]:
        """The pid files of the guests of a host."""
        return list(self.state.glob(f"hosts/{host}/host/v/run/qemu/stackd-*.pid"))

    def outside(self, *argv: str) -> str | None:
        """What a command prints in the outside namespace; None where it fails."""
        fabric = self.site.ground.fabric  # type: ignore[union-attr]
        try:
            done = subprocess.run(["ip", "netns", "exec", fabric.outside, *argv], capture_output=True, text=True,
                                  timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def ssh(self, address: str, command: str, by: str = "") -> str | None:
        """What a command prints in a guest; ``by`` is another guest to go through."""
        options = ["-i", str(self.state / "key"), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=2", "-o", "BatchMode=yes"]
        through = ["-o", f"ProxyCommand=ssh {' '.join(options)} -W %h:%p root@{by}"] if by else []
        return self.outside("ssh", *options, *through, f"root@{address}", command)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Up, and gone at the end with everything it made."""
    with tempfile.TemporaryDirectory(prefix="sl") as folder:
        made = Lab(Path(folder) / "lab")
        try:
            assert f"The lab is up: {HOSTS} hosts." in made.up()
            name, database = made.site.options.name, str(made.site.server.folder)
            yield made
        finally:
            made.command("down")
        assert not made.state.exists() and not Path(database).exists()
        for argv in (("ip", "netns"), ("ip", "link"), ("mount",), ("ps", "-eo", "args")):
            text = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout
            assert [line for line in text.splitlines() if name in line or str(made.state) in line
                    or database in line] == []


class Guests:
    """One server on each host, with a floating address each."""

    def __init__(self, lab: Lab) -> None:
        """Launch them all, and let the world in to ping and ssh."""
        self._cloud = openstack_client(lab.site.admin)
        self._open()
        key = self._cloud.compute.create_keypair(name="lab")
        with open(os.open(lab.state / "key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(key.private_key)
        image, flavor = self._cloud.image.find_image("demo"), self._cloud.compute.find_flavor("t2.nano")
        made = [self._cloud.compute.create_server(
            name=f"on-{host}", image_id=image.id, flavor_id=flavor.id, key_name="lab", networks="auto",
            availability_zone=f":{host}") for host in lab.site.hosts]
        self.servers = [self._cloud.compute.wait_for_server(server, wait=120, interval=0.5) for server in made]
        self.inner = [server.addresses["default"][0]["addr"] for server in self.servers]
        outer = next(self._cloud.network.networks(is_router_external=True)).id
        self.floating = [str(self._cloud.network.create_ip(
            floating_network_id=outer, port_id=next(self._cloud.network.ports(device_id=server.id)).id
        ).floating_ip_address) for server in self.servers]

    def _open(self) -> None:
        network = self._cloud.network
        group = next(network.security_groups(name="default", project_id=self._cloud.current_project_id))
        for protocol, port in (("tcp", 22), ("icmp", None)):
            network.create_security_group_rule(security_group_id=group.id, direction="ingress", ethertype="IPv4",
                                               protocol=protocol, port_range_min=port, port_range_max=port)

    def remove(self) -> None:
        """Delete them and wait until they are gone."""
        for server in self.servers:
            self._cloud.compute.delete_server(server)
        wait("the servers are gone", lambda: not list(self._cloud.compute.servers()), 60.0)


@pytest.fixture(scope="module")
def guests(lab: Lab) -> Guests:
    """Launched."""
    return Guests(lab)


def test_each_host_has_a_guest(lab: Lab, guests: Guests) -> None:
    assert [server.hypervisor_hostname for server in guests.servers] == lab.site.hosts
    for host in lab.site.hosts:
        running = lab.running(host)
        assert len(running) == 1 and Path(f"/proc/{running[0].read_text().strip()}").exists()


def test_a_floating_address_answers_and_the_guest_has_its_metadata(lab: Lab, guests: Guests) -> None:
    for server, inner, floating in zip(guests.servers, guests.inner, guests.floating, strict=True):
        said = wait(f"ssh to {floating} answers",
                    partial(lab.ssh, floating, f"hostname; ip addr show eth0; wget -qO- {METADATA}/instance-id"), 90.0)
        assert said.split("\n")[0] == server.name
        assert f"inet {inner}/" in said  # by DHCP
        assert said.split("\n")[-1] == ids.ec2_id(kinds.INSTANCE, server.id.replace("-", ""))
        assert lab.outside("ping", "-c", "1", "-W", "2", floating) is not None


def test_guests_of_different_hosts_meet(lab: Lab, guests: Guests) -> None:
    for number, floating in enumerate(guests.floating):
        for other, inner in enumerate(guests.inner):
            if other != number:
                assert lab.ssh(floating, f"ping -c 1 -W 2 {inner}") is not None
                assert lab.ssh(inner, "hostname", by=floating) == f"{guests.servers[other].name}\n"


def test_metadata_needs_neither_a_compute_worker_nor_a_conductor(lab: Lab, guests: Guests) -> None:
    dead = (f"compute@{lab.site.hosts[0]}", "conductor-1")
    for name in dead:
        lab.site.kill(name)
    try:
        said = lab.ssh(guests.floating[0], f"wget -qO- {METADATA}/hostname")
    finally:
        for name in dead:
            lab.site.spawn(name)
        lab.site.wait_ready()
    assert said is not None and said.startswith(guests.servers[0].name)


def test_up_again_finds_everything(lab: Lab, guests: Guests) -> None:
    before = {name: lab.site.pid(name) for name in lab.site.names}
    lab.up()
    assert {name: lab.site.pid(name) for name in lab.site.names} == before
    assert "does not run" not in lab.command("status")


def test_servers_go_with_all_they_had(lab: Lab, guests: Guests) -> None:
    def left() -> list[Any]:
        return lab.running("*")

    guests.remove()
    wait("the guests are gone", lambda: not left(), 60.0)
