"""A cloud in memory and clients of it, for every test of EC2."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest

from stackd.testing.cloud import MemoryCloud
from tests.api.ec2.bench import Bench


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> Callable[[MemoryCloud], None]:
    """Make botocore sign by a cloud's clock."""
    def follow(cloud: MemoryCloud) -> None:
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: datetime.fromtimestamp(
            cloud.clock.seconds(), UTC).replace(tzinfo=None))
    return follow


@pytest.fixture
def bench(signing: Callable[[MemoryCloud], None]) -> Iterator[Bench]:
    """A cloud of two hosts."""
    cloud = MemoryCloud().start()
    signing(cloud)
    yield Bench(cloud)


@pytest.fixture
def ec2(bench: Bench) -> Any:
    """The member's EC2 client."""
    return bench.client()
