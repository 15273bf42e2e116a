"""What follows from the options of a site."""

from pathlib import Path

from stackd.testing.lab.options import SiteOptions, keep, kept_options, kind_of


def test_every_host_has_two_daemons() -> None:
    options = SiteOptions(hosts=2, schedulers=2)
    assert options.names() == (
        "conductor-1", "scheduler-1", "scheduler-2", "registry-1", "image-1", "api-1",
        "compute@host-1", "network@host-1", "compute@host-2", "network@host-2")
    assert [kind_of(name) for name in ("api-1", "compute@host-2")] == ["api", "compute"]


def test_pools_share_hosts_out() -> None:
    assert SiteOptions(hosts=25, hosts_per_process=10).pools() == {"pool-1": 10, "pool-2": 10, "pool-3": 5}


def test_options_are_kept_with_a_name_of_their_own(tmp_path: Path) -> None:
    assert kept_options(tmp_path) is None
    made = keep(SiteOptions(hosts=7, settings={"hosts": {"heartbeat": 1.0}}), tmp_path)
    assert made.name.startswith("lab") and len(made.name) == 7
    assert kept_options(tmp_path) == made
