"""The Linux bridge driver passes the contract of all on the real kernel, in namespaces of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted

from stackd.testing.contracts.network import NetworkContract
from tests.live.network_bench import LiveBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LiveBench]:
    """A host, and afterwards nothing of it."""
    made = LiveBench(tmp_path)
    try:
        yield made
    finally:
        left = pytest_twisted.blockon(pytest_twisted.defer.ensureDeferred(made.remove()))
    assert left == ""


class TestLinuxBridge(NetworkContract):
    """The suite of every network driver."""
