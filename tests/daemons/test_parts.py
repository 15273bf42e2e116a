"""The parts of a process: those that are drivers are the ones the configuration names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from twisted.internet import reactor

from stackd import errors
from stackd.config.loading import load
from stackd.core.identity import Identity
from stackd.daemons.parts import KEYS_FILE, Parts


@pytest.fixture
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Parts]:
    """Of a configuration that names this identity driver."""
    (tmp_path / KEYS_FILE).write_text(Fernet.generate_key().decode())
    made = Parts(reactor, load(f'[cloud]\nstate = "{tmp_path}"\n[database]\nurl = "sqlite:///{tmp_path}/stackd.db"\n'
                               f'[identity]\ndriver = "{request.param}"'))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("parts", ["sql"], indirect=True)
def test_our_own_identity_is_picked_by_its_name(parts: Parts) -> None:
    assert isinstance(parts.identity, Identity)


@pytest.mark.parametrize("parts", ["keystone"], indirect=True)
def test_an_identity_driver_that_is_not_there_is_told(parts: Parts) -> None:
    with pytest.raises(errors.BadConfiguration, match=r"no driver 'keystone' in stackd\.identities; known ones: sql\."):
        assert parts.identity
