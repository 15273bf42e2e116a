"""What every scheduler algorithm does; a driver's tests derive :class:`SchedulerAlgorithmContract`."""

from random import Random

from zope.interface.verify import verifyObject

from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest
from stackd.testing.records import a_host

SMALL = PlacementRequest(vcpus=1, memory_mib=512, disk_gib=1)


class SchedulerAlgorithmContract:
    """Give :meth:`algorithm`; each test is one promise of ``ISchedulerAlgorithm``."""

    def algorithm(self, random: Random) -> ISchedulerAlgorithm:
        """A new algorithm that draws from ``random``."""
        raise NotImplementedError

    def _rank(self, request: PlacementRequest, *hosts: Host) -> tuple[list[str], dict[str, str]]:
        ranking = self.algorithm(Random(1)).rank(request, hosts)
        return [host.name for host in ranking.hosts], {one.host: one.reason for one in ranking.refusals}

    def test_it_provides_the_interface(self) -> None:
        """``verifyObject`` is content."""
        assert verifyObject(ISchedulerAlgorithm, self.algorithm(Random(1)))

    def test_every_host_is_ranked_or_refused_with_a_reason(self) -> None:
        """Nothing is passed over in silence."""
        hosts = [a_host("full", used_vcpus=8), a_host("off", enabled=False), a_host("gone", silent=("compute",)),
                 a_host("cut", silent=("network",)), a_host("good"), a_host("low", used_memory_mib=16300),
                 a_host("packed", used_disk_gib=100)]
        ranked, refused = self._rank(SMALL, *hosts)
        assert ranked == ["good"]
        assert set(refused) == {"full", "off", "gone", "cut", "low", "packed"}
        assert all(refused.values())

    def test_no_hosts_is_an_empty_ranking(self) -> None:
        """And no error."""
        assert self._rank(SMALL) == ([], {})

    def test_what_just_fits_fits(self) -> None:
        """The last core, byte and block are given out."""
        host = a_host("tight", used_vcpus=7, used_memory_mib=16384 - 512, used_disk_gib=99)
        assert self._rank(SMALL, host)[0] == ["tight"]

    def test_a_host_named_by_an_administrator_is_the_only_one(self) -> None:
        """All others are refused."""
        request = PlacementRequest(vcpus=1, memory_mib=512, disk_gib=1, host="b")
        ranked, refused = self._rank(request, a_host("a"), a_host("b"))
        assert ranked == ["b"]
        assert set(refused) == {"a"}

    def test_the_same_random_numbers_give_the_same_ranking(self) -> None:
        """All chance comes from the argument."""
        hosts = [a_host(str(number)) for number in range(20)]
        assert self._rank(SMALL, *hosts) == self._rank(SMALL, *hosts)

    def test_the_hosts_given_are_left_as_they_are(self) -> None:
        """The sequence is the caller's."""
        hosts = [a_host(str(number), used_vcpus=number % 3) for number in range(20)]
        before = list(hosts)
        self.algorithm(Random(2)).rank(SMALL, hosts)
        assert hosts == before

    def test_a_host_without_a_physical_network_is_refused(self) -> None:
        """All those of the instance's ports must be there."""
        request = PlacementRequest(vcpus=1, memory_mib=512, disk_gib=1, physical_networks=("blue", "red"))
        ranked, refused = self._rank(request, a_host("a"), a_host("b", physical_networks=("blue",)),
                                     a_host("c", physical_networks=("blue", "green", "red")))
        assert ranked == ["c"]
        assert refused == {"a": "is not on physical network blue", "b": "is not on physical network red"}
