"""Less than a minute of chaos on a cloud of many processes: daemons, broker, database and hosts break, nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackd.testing.chaos.__main__ import SETTINGS
from stackd.testing.chaos.clients import Pace
from stackd.testing.chaos.monkey import Temper
from stackd.testing.chaos.run import Options, Run
from stackd.testing.chaos.telling import table
from stackd.testing.lab.options import SiteOptions
from stackd.testing.lab.site import Site, standing

SEED = 3


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """PostgreSQL, RabbitMQ, every daemon by itself, two fake hosts."""
    with standing(tmp_path / "site", SiteOptions(hosts=2, api_workers=2, settings=SETTINGS)) as made:
        yield made


def test_a_short_run_violates_nothing(site: Site, tmp_path: Path) -> None:
    run = Run(site, Options(minutes=0.6, seed=SEED, clients=4, pace=Pace(pause=0.8), temper=Temper(pause=3.0)),
              tmp_path / "chaos.jsonl")
    result = run.whole()
    assert result.well, table(result, run.journal)
    outcomes = run.journal.of("request")
    assert {words[0] for words in outcomes if words[2] == "accepted"} == {"openstack", "ec2"}
    assert result.instances
    assert sum(run.journal.of("mischief").values()) >= 3
    assert not run.journal.of("monkey-failed")
