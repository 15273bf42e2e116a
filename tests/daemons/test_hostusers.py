"""The cloud's side of ``stackd host``: who hosts are to the image service, and what becomes of one that is removed."""

from typing import Any

import pytest

from stackd import errors
from stackd.daemons.hostusers import OPERATOR, HostUsers
from stackd.model.callers import IMAGE_READER, Caller
from stackd.model.identities import Login, Scope, UserLogin
from stackd.model.instances import LaunchRequest
from stackd.model.paging import PageRequest
from stackd.testing.cloud import MemoryCloud


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud of two hosts."""
    return MemoryCloud().start()


@pytest.fixture
def hosts(cloud: MemoryCloud) -> HostUsers:
    """The commands."""
    return HostUsers(cloud.core, cloud.identity, cloud.clock)


def row(cloud: MemoryCloud, hosts: HostUsers, name: str) -> dict[str, Any]:
    """A line of the list."""
    found: dict[str, Any] = next(row for row in cloud.run(hosts.list({})) if row["host"] == name)
    return found


def test_hosts_are_listed(cloud: MemoryCloud, hosts: HostUsers) -> None:
    heard = row(cloud, hosts, "host-1")
    assert {heard.pop(worker).split(" ", 1)[1] for worker in ("compute", "network")} == {"s ago"}
    assert heard == {"host": "host-1", "zone": "us-east-1a", "alive": True, "enabled": True, "instances": 0,
                     "reason": ""}
    cloud.kill("compute@host-1")
    cloud.advance(100)
    silent = row(cloud, hosts, "host-1")
    assert not silent["alive"] and float(silent["compute"].split()[0]) > 60 > float(silent["network"].split()[0])


def test_a_host_reads_images_by_its_newest_password_only(cloud: MemoryCloud, hosts: HostUsers) -> None:
    ids = []
    for password in ("the first password", "the second password"):
        assert cloud.run(hosts.add({"name": "h1", "password": password})) == {
            "user": "stackd-host-h1", "project": "service"}
        ids.append(user(cloud).id)
    assert ids[0] != ids[1]
    caller = logged_in(cloud, "the second password")
    assert caller.roles == {IMAGE_READER} and caller.is_service
    with pytest.raises(errors.NotAuthenticated):
        logged_in(cloud, "the first password")


def test_a_hosts_password_makes_no_keys_with_a_token_of_no_project_either(cloud: MemoryCloud, hosts: HostUsers) -> None:
    cloud.run(hosts.add({"name": "h1", "password": "a long password"}))
    service = logged_in(cloud, "a long password")
    for caller in (service, logged_in(cloud, "a long password", Scope(unscoped=True))):
        with pytest.raises(errors.NotAllowed):
            cloud.run(cloud.identity.access_keys.create(caller, caller.user_id, service.project_id))
        with pytest.raises(errors.NotAllowed):
            cloud.run(cloud.identity.users.change_password(caller, caller.user_id, "a long password", "mine now"))


def user(cloud: MemoryCloud) -> Any:
    """The host's user."""
    return cloud.run(cloud.identity.users.list(OPERATOR, PageRequest(), name="stackd-host-h1")).items[0]


def logged_in(cloud: MemoryCloud, password: str, scope: Scope = Scope(project_name="service")) -> Caller:
    """Who it is with this password."""
    login = Login(user=UserLogin(name="stackd-host-h1"), password=password, scope=scope)
    token = cloud.run(cloud.identity.authenticate(login)).text
    return cloud.run(cloud.identity.caller_of_token(token, "req-1"))


def test_a_removed_host_gets_nothing_until_it_is_added_again(cloud: MemoryCloud, hosts: HostUsers) -> None:
    cloud.run(hosts.add({"name": "host-1", "password": "a long password"}))
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", host="host-1")
    id = cloud.run(cloud.core.instances.launch(cloud.admin, request)).instances[0].instance.id
    cloud.until(lambda: cloud.row(id).host == "host-1")
    with pytest.raises(errors.InUse, match="an instance"):
        cloud.run(hosts.remove({"name": "host-1"}))
    assert not row(cloud, hosts, "host-1")["enabled"]
    assert cloud.run(hosts.remove({"name": "host-1", "force": True})) == "The host host-1 is removed."
    assert row(cloud, hosts, "host-1")["reason"] == "removed by the operator"
    cloud.run(hosts.add({"name": "host-1", "password": "a long password"}))
    assert row(cloud, hosts, "host-1")["enabled"]


def test_a_name_that_is_no_hosts_is_told(cloud: MemoryCloud, hosts: HostUsers) -> None:
    """It may be a broken-into host's, mistyped."""
    for action in (hosts.remove, hosts.password):
        with pytest.raises(errors.NotFound, match="Host h1 could not be found.*'stackd host list'"):
            cloud.run(action({"name": "h1", "password": "a long password"}))
    cloud.run(hosts.add({"name": "h1", "password": "a long password"}))
    cloud.run(hosts.password({"name": "h1", "password": "another password"}))
    assert logged_in(cloud, "another password").is_service
    assert "removed" in cloud.run(hosts.remove({"name": "h1"}))
    with pytest.raises(errors.NotFound):
        cloud.run(hosts.remove({"name": "h1"}))
    assert "removed" in cloud.run(hosts.remove({"name": "h1", "at_broker": True})), "it had a user there"


def test_a_host_an_operator_disabled_stays_so(cloud: MemoryCloud, hosts: HostUsers) -> None:
    cloud.run(cloud.core.hosts.enable(OPERATOR, "host-1", False, "bad memory"))
    cloud.run(hosts.add({"name": "host-1", "password": "a long password"}))
    assert row(cloud, hosts, "host-1")["reason"] == "bad memory"


@pytest.mark.parametrize("name", ["", "A", "admin|x", "*"])
def test_what_is_no_host_gets_no_user(name: str, cloud: MemoryCloud, hosts: HostUsers) -> None:
    for action in (hosts.add, hosts.password, hosts.remove):
        with pytest.raises(errors.InvalidValue):
            cloud.run(action({"name": name, "password": "a long password"}))
