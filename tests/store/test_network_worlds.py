"""Random histories of users and hosts: no two hosts ever answer for one address, and nothing is left behind.

Hosts here are as slow and as forgetful as real ones may be: they fetch and report when they like, and a report may
arrive long after it was true.
"""

import random

import pytest

from stackd import errors
from stackd.model.addresses import FloatingIP
from stackd.model.assignments import FloatingReport, PortReport
from stackd.model.ids import new_id
from stackd.model.networks import WiringState
from stackd.store import addresses, ports, wirings
from stackd.testing.projects import Cloud

HOSTS = ("h1", "h2", "h3")
STEPS = 150


class World:
    """A cloud, hosts with what they have wired, and reports on their way."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.cloud = Cloud()
        self.cloud.hosts(*HOSTS)
        self.project, self.public = self.cloud.project(), self.cloud.public("203.0.113.0/29")
        self.devices, self.floating, self.late = [], [], []
        self.wired = {host: {} for host in HOSTS}
        self.reports = 0

    def launch(self):
        """A new instance, sometimes placed at once."""
        port = self.cloud.instance_port(self.project, self.random.choice(("", *HOSTS)))
        self.devices.append(port.device_id)

    def place(self):
        """An instance goes to a host, or moves to another."""
        if self.devices:
            self.cloud.write(ports.place, {self.random.choice(self.devices): self.random.choice(HOSTS)})

    def end(self):
        """An instance is gone."""
        if self.devices:
            device = self.devices.pop(self.random.randrange(len(self.devices)))
            self.cloud.write(ports.release, [device])

    def allocate(self):
        """A user takes an address while there are any."""
        wanted = FloatingIP(id=new_id(), project_id=self.project.id, network_id=self.public.id, address="")
        try:
            self.floating.append(self.cloud.write(addresses.allocate, wanted, None).id)
        except errors.NoMoreAddresses:
            pass

    def lead(self):
        """A user leads an address to an instance."""
        held = self.cloud.read(ports.of_devices, self.devices)
        if self.floating and held:
            port = self.random.choice(sorted(held.values(), key=lambda many: many[0].id))[0]
            floating = self.cloud.read(addresses.get, self.random.choice(self.floating))
            if not port.fixed_ips[0].floating_ip:
                self.cloud.write(addresses.lead, floating, port.id, port.fixed_ips[0].address, port.host)

    def release(self):
        """A user gives an address back."""
        if self.floating:
            id = self.floating.pop(self.random.randrange(len(self.floating)))
            self.cloud.write(addresses.release, self.cloud.read(addresses.get, id))

    def fetch(self):
        """A host does what it is told, and will report it."""
        self.work(self.random.choice(HOSTS))

    def work(self, host):
        """Fetch everything, wire and withdraw, and send the reports off."""
        self.reports += 1
        mark = (1, self.reports)
        port_ids, floating_ids, _ = self.cloud.read(wirings.all_of_host, host)
        told = self.cloud.read(wirings.floating_assignments, host, floating_ids)
        # What is not told of any more has been withdrawn before, or was never there.
        self.wired[host] = {one.id: one.wiring.address for one in told if one.wiring}
        self.late.append((addresses.observed, host, [FloatingReport(
            id=one.id, generation=one.generation,
            observed=WiringState.WIRED if one.wiring else WiringState.ABSENT) for one in told], mark))
        assigned = self.cloud.read(wirings.port_assignments, host, port_ids)
        self.late.append((ports.observed, host, [PortReport(
            id=one.id, generation=one.generation,
            observed=WiringState.WIRED if one.wiring else WiringState.ABSENT) for one in assigned], mark))

    def report(self):
        """A report arrives, any of those on their way; some arrive twice."""
        if self.late:
            late = self.random.choice(self.late)
            if self.random.random() < 0.8:
                self.late.remove(late)
            self.cloud.write(*late)

    def check(self):
        """No two hosts answer for one address."""
        answering = [address for held in self.wired.values() for address in held.values()]
        assert len(answering) == len(set(answering)), self.wired

    def settle(self):
        """Everybody does all there is to do."""
        for _ in range(4):
            for host in HOSTS:
                self.work(host)
                while self.late:
                    self.report()


@pytest.mark.parametrize("seed", range(12))
def test_no_two_hosts_answer_for_one_address_and_nothing_leaks(seed):
    world = World(seed)
    actions = [world.launch, world.place, world.end, world.allocate, world.lead, world.lead, world.release,
               world.fetch, world.fetch, world.report, world.report]
    for _ in range(STEPS):
        world.random.choice(actions)()
        world.check()
    world.settle()
    for floating in world.cloud.read(addresses.find, world.project.id):
        holders = [host for host in HOSTS if floating.id in world.wired[host]]
        assert holders == ([floating.host] if floating.host else [])
    for device in list(world.devices):
        world.cloud.write(ports.release, [device])
    for id in list(world.floating):
        world.cloud.write(addresses.release, world.cloud.read(addresses.get, id))
    world.settle()
    assert [world.cloud.read(wirings.all_of_host, host)[:2] for host in HOSTS] == [((), ())] * 3
    world.floating.clear()
    for _ in range(5):
        world.allocate()
    assert len(world.floating) == 5
