"""The shipped algorithms: the contract of all, and what each promises beyond it."""

from collections import Counter
from random import Random

import pytest

from stackd.drivers import loading
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.scheduling import PlacementRequest
from stackd.testing.contracts.scheduling import SMALL, SchedulerAlgorithmContract
from stackd.testing.records import a_host

EAST = PlacementRequest(vcpus=1, memory_mib=512, disk_gib=1, zone="zone-b")


class OfName(SchedulerAlgorithmContract):
    """An algorithm by its entry point."""

    name = ""

    def algorithm(self, random: Random) -> ISchedulerAlgorithm:
        """Loaded as a daemon loads it."""
        return loading.make("stackd.schedulers", self.name, ISchedulerAlgorithm, random)


class TestChance(OfName):
    """``chance``."""

    name = "chance"

    def test_every_host_is_first_about_as_often(self) -> None:
        algorithm = self.algorithm(Random(7))
        hosts = [a_host(str(number), used_vcpus=number) for number in range(4)]
        first = Counter(algorithm.rank(SMALL, hosts).hosts[0].name for _ in range(400))
        assert min(first.values()) > 60

    def test_zones_are_not_looked_at(self) -> None:
        assert self._rank(EAST, a_host("a"))[0] == ["a"]


class TestSimple(OfName):
    """``simple``."""

    name = "simple"

    def test_the_least_loaded_comes_first(self) -> None:
        hosts = [a_host("busy", used_vcpus=6), a_host("idle"), a_host("half", used_vcpus=3)]
        assert self._rank(SMALL, *hosts)[0] == ["idle", "half", "busy"]


class TestZone(OfName):
    """``zone``."""

    name = "zone"


class TestFilter(OfName):
    """``filter``."""

    name = "filter"

    def test_the_emptiest_comes_first(self) -> None:
        hosts = [a_host("busy", used_vcpus=6, used_memory_mib=12000), a_host("idle"),
                 a_host("half", used_vcpus=4, used_memory_mib=8000)]
        assert self._rank(SMALL, *hosts)[0] == ["idle", "half", "busy"]

    def test_another_architecture_is_refused(self) -> None:
        request = PlacementRequest(vcpus=1, memory_mib=512, disk_gib=1, image_properties={"architecture": "aarch64"})
        ranked, refused = self._rank(request, a_host("a"))
        assert ranked == []
        assert "aarch64" in refused["a"]


@pytest.mark.parametrize("contract", [TestSimple, TestZone, TestFilter])
def test_only_hosts_of_the_zone_asked_for(contract: type[OfName]) -> None:
    ranked, refused = contract()._rank(EAST, a_host("a"), a_host("b", zone="zone-b"))
    assert ranked == ["b"]
    assert refused == {"a": "is in zone zone-a, not zone-b"}
