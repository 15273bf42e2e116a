"""One cloud for the whole suite, whose log must be clean at the end."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackd.testing.ports import free_base
from tests.cloud.running import Running
from tests.fuzz.people import Belongings, Person, demo, newcomer


@pytest.fixture(scope="package")
def cloud() -> Iterator[Running]:
    """A cloud that runs until all tests of the suite are done."""
    with tempfile.TemporaryDirectory(prefix="sf") as folder:
        running = Running(Path(folder), free_base())
        yield running
        running.kill()


@pytest.fixture(scope="package")
def admin(cloud: Running) -> Person:
    """An administrator."""
    return demo(cloud, "stackd-admin")


@pytest.fixture(scope="package")
def attacker(cloud: Running) -> Person:
    """A member of the project ``demo``."""
    return demo(cloud)


@pytest.fixture(scope="package")
def victim(cloud: Running, admin: Person) -> Belongings:
    """What another project has."""
    return Belongings(newcomer(cloud, admin, "victim"))


@pytest.fixture(scope="package")
def own(attacker: Person) -> Belongings:
    """What the attacker has."""
    return Belongings(attacker)


@pytest.fixture(autouse=True)
def clean_log(cloud: Running) -> Iterator[None]:
    """Fails the test whose requests made the cloud log a defect."""
    before = len(cloud.log())
    yield
    said = cloud.log()[before:]
    defects = [line for line in said.splitlines() if '"critical"' in line or "Traceback" in line or '"error"' in line]
    assert not defects, "\n".join(line[:3000] for line in defects[:5])
