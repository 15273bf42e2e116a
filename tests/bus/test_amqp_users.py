"""The permissions of hosts at the broker, as regular expressions; ``live/test_host_users.py`` asks a real broker."""

import itertools
import re

import pytest

from stackd import errors
from stackd.bus.amqp.users import HostPermissions, hashed, host_definitions, host_permissions, queue_limits

NAMES = ("web", "web-1", "we", "a.b", "axb", "a-b", "a", "b", "a.b.calls", "web.calls", "b.calls")
KINDS = ("calls", "wakes")
SHARED = ("stackd.conductor.reports", "stackd.conductor.calls", "stackd.conductor.wakes", "stackd.scheduler.calls",
          "stackd.registry.calls", "stackd.dead", "", "amq.topic", "amq.direct", "stackd.compute@", "stackd2")


def own(name: str) -> set[str]:
    return {f"stackd.{worker}@{name}.{kind}" for worker in ("compute", "network") for kind in KINDS}


def allowed(pattern: str, candidates: set[str]) -> set[str]:
    return {each for each in candidates if re.search(pattern, each)}


@pytest.mark.parametrize("name", NAMES)
def test_a_host_has_its_own_queues_and_no_others(name: str) -> None:
    everything = set(SHARED) | {queue for each in NAMES for queue in own(each)} | {
        f"{queue}{more}" for queue in own(name) for more in (".x", "x", " ")} | {
        f"x{queue}" for queue in own(name)} | {"stackd", "amq.default"} | {
        f"stackd.{each}@{name}.reports" for each in ("compute", "network")} | {f"stackd.volume@{name}.calls"}
    found = host_permissions(name)
    assert allowed(found.configure, everything) == own(name)
    assert allowed(found.read, everything) == own(name)
    assert allowed(found.write, everything) == {"stackd", "amq.default"}
    assert allowed(found.topic_read, everything) == {""}
    assert allowed(found.topic_write, everything) == {"stackd.conductor.reports", "stackd.conductor.calls"}


def test_no_two_hosts_share_anything_of_their_own() -> None:
    for one, other in itertools.permutations(NAMES, 2):
        assert allowed(host_permissions(one).configure, own(other)) == set()


def test_a_prefix_is_taken_as_it_is() -> None:
    found = host_permissions("h1", "cloud.a-1")
    assert re.search(found.write, "cloud.a-1") and not re.search(found.write, "cloudxa-1")
    assert found.exchange == "cloud.a-1"
    assert re.search(queue_limits("cloud.a-1")[0], "cloud.a-1.compute@h1.calls")
    assert not re.search(queue_limits("cloud.a-1")[0], "cloud.a-1.conductor.calls")


@pytest.mark.parametrize("name", ["*", "#", ".*", "h1|h2", "h1.calls|stackd", "H1", "h 1", "h1\n", ""])
def test_what_is_no_host_name_gets_no_user(name: str) -> None:
    with pytest.raises(errors.InvalidValue, match="plain host name"):
        host_permissions(name)


def test_a_name_whose_queues_would_be_too_long_gets_no_user() -> None:
    with pytest.raises(errors.InvalidValue, match="too long"):
        host_permissions("h" * 200, "p" * 60)


def test_definitions_hold_no_password() -> None:
    permissions: HostPermissions = host_permissions("h1")
    found = host_definitions(permissions, "secret", b"salt", "cloud")
    assert "secret" not in str(found)
    assert found["users"][0] | {"password_hash": ""} == {
        "name": "stackd-host-h1", "password_hash": "", "tags": [],
        "hashing_algorithm": "rabbit_password_hashing_sha256"}
    assert {each["vhost"] for each in found["permissions"] + found["topic_permissions"]} == {"cloud"}
    assert {each["user"] for each in found["permissions"] + found["topic_permissions"]} == {"stackd-host-h1"}


def test_a_password_is_hashed_as_rabbitmq_documents_it() -> None:
    assert hashed("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
