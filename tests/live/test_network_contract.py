"""The Linux bridge driver passes the contract of all on the real kernel, in namespaces of the test's own."""


import pytest

from stackd.testing.contracts.network import NetworkContract
from tests.live.network_bench import hosted

bench = pytest.fixture(hosted)


class TestLinuxBridge(NetworkContract):
    """The suite of every network driver."""
