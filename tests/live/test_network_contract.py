"""The Linux bridge driver passes the contract of all on the real kernel, in namespaces of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackd.testing.contracts.network import NetworkContract
from tests.live.network_bench import LiveBench, hosted_with


@pytest.fixture(params=["", "192.0.2.1"], ids=["one host", "with tunnels"])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LiveBench]:
    """A host without tunnels, and one that has them."""
    yield from hosted_with(tmp_path, request.param)


class TestLinuxBridge(NetworkContract):
    """The suite of every network driver."""
