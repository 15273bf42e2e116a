"""One cloud with two projects and a reader; the members of each have one of everything."""

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
    with tempfile.TemporaryDirectory(prefix="st") as folder:
        running = Running(Path(folder), free_base())
        yield running
        running.kill()


@pytest.fixture(scope="package")
def admin(cloud: Running) -> Person:
    """An administrator."""
    return demo(cloud, "stackd-admin")


@pytest.fixture(scope="package")
def stranger(cloud: Running) -> Person:
    """A member of the project ``demo``, who should know nothing of the other."""
    return demo(cloud)


@pytest.fixture(scope="package")
def owner(cloud: Running, admin: Person) -> Person:
    """A member of the other project."""
    return newcomer(cloud, admin, "victim")


@pytest.fixture(scope="package")
def theirs(owner: Person) -> Belongings:
    """What the other project has."""
    return Belongings(owner)


@pytest.fixture(scope="package")
def mine(stranger: Person) -> Belongings:
    """What the stranger has."""
    return Belongings(stranger)


@pytest.fixture(scope="package")
def reader(cloud: Running, admin: Person, theirs: Belongings) -> Person:
    """Who may look at the other project, and no more."""
    return newcomer(cloud, admin, "victim-reader", "reader")
