"""Ports that a master binds for its workers."""

import pytest

from stackd.daemons.listening import bound
from stackd.errors import BadConfiguration
from stackd.testing.ports import free_base


def test_a_port_that_is_just_given_up_is_waited_for() -> None:
    """As when the master was killed and is started again before its workers have ended."""
    port = free_base()
    before = bound("127.0.0.1", port)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        before.close()

    after = bound("127.0.0.1", port, wait)
    assert after.getsockname() == ("127.0.0.1", port)
    assert len(pauses) == 1
    after.close()


def test_a_place_that_is_not_ours_is_named() -> None:
    with pytest.raises(BadConfiguration, match=r"Nobody can listen on 192\.0\.2\.1:8773: Cannot assign"):
        bound("192.0.2.1", 8773, lambda _: pytest.fail("it would never be ours"))
