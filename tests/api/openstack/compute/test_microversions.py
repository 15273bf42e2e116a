"""Negotiation, and what every microversion changed for the resources that are there."""

from typing import Any

import pytest

from stackd.api.openstack.compute import routing
from stackd.api.openstack.compute.microversions import HIGHEST, LOWEST, Body, Property, Shown, text_of, view
from stackd.api.openstack.compute.service import ComputeService
from tests.api.openstack.compute.conftest import LATEST, Nova

NEW, OLD = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"


def told(answer: Any) -> tuple[list[str], list[str], list[str]]:
    """What an answer says of its version."""
    return tuple(answer.headers.getRawHeaders(name) for name in (NEW, OLD, "Vary"))


@pytest.mark.parametrize(("sent", "expected"), [
    ({}, "2.1"),
    ({NEW: "compute 2.5"}, "2.5"),
    ({OLD: "2.7"}, "2.7"),
    ({NEW: "compute 2.5", OLD: "2.7"}, "2.5"),
    ({NEW: "volume 3.60, compute 2.9"}, "2.9"),
    ({NEW: "volume 3.60"}, "2.1"),
    ({NEW: "compute latest"}, text_of(HIGHEST)),
    ({OLD: "latest"}, text_of(HIGHEST)),
])
def test_the_version_is_negotiated_and_told(nova: Nova, sent: dict[str, str], expected: str) -> None:
    """Both headers are understood, and both answered."""
    answer = nova.raw("GET", "/compute/v2.1/servers", None, "member", **sent)
    assert answer.status == 200
    assert told(answer) == ([f"compute {expected}"], [expected], [f"{NEW}, {OLD}"])


@pytest.mark.parametrize(("asked", "status"), [
    ("2.0", 406), ("2.999", 406), ("3.1", 406), ("1.1", 406), ("2", 400), ("x", 400), ("2.01", 400), ("2.1.1", 400),
    ("-2.1", 400), ("", 400), ("٢.١", 400)])
def test_versions_that_cannot_be_had(nova: Nova, asked: str, status: int) -> None:
    """Out of range is not acceptable, nonsense a bad request; both say what is offered."""
    answer = nova.raw("GET", "/compute/v2.1/servers", None, "member", **{NEW: f"compute {asked}"})
    assert answer.status == status
    assert LATEST in answer.message or status == 400


def test_versions_are_described_without_a_token(nova: Nova) -> None:
    """What clients read first."""
    (listed,) = nova.raw("GET", "/compute/").body["versions"]
    for path in ("/compute/v2.1", "/compute/v2.1/"):
        shown = nova.raw("GET", path).body["version"]
        assert (shown["min_version"], shown["version"]) == (listed["min_version"], listed["version"]) == ("2.1", LATEST)
        assert shown["links"][0] == {"rel": "self", "href": "http://cloud.example:8774/compute/v2.1/"}


FIELDS = [("locked", "2.9", False), ("description", "2.19", False), ("tags", "2.26", False),
          ("trusted_image_certificates", "2.63", False), ("server_groups", "2.71", False),
          ("locked_reason", "2.73", False), ("OS-EXT-SRV-ATTR:hostname", "2.3", True), ("host_status", "2.16", True)]


def before(version: str) -> str:
    """The version just before."""
    return f"2.{int(version[2:]) - 1}"


def test_fields_of_servers_appear_with_their_version(nova: Nova) -> None:
    """Not earlier, and to admins alone where Nova says so."""
    id = nova.create()["id"]
    for field, since, admin in FIELDS:
        assert field in nova.show(id, "admin", since)
        assert field not in nova.show(id, "admin", before(since))
        assert (field in nova.show(id, "member", since)) is not admin
    assert nova.show(id, version="2.46")["flavor"]["id"] == "t2.nano"
    assert nova.show(id, version="2.47")["flavor"]["original_name"] == "t2.nano"


@pytest.mark.parametrize(("version", "field", "value", "status"), [
    ("2.18", "description", "x", 400), ("2.19", "description", "x", 202),
    ("2.51", "tags", ["x"], 400), ("2.52", "tags", ["x"], 202),
    ("2.56", "personality", [], 202), ("2.57", "personality", [], 400),
    ("2.36", "networks", "auto", 400), ("2.37", "networks", "auto", 202), ("2.37", "networks", "none", 202),
    ("2.37", "networks", None, 400), ("2.36", "networks", None, 202),
    ("2.62", "trusted_image_certificates", None, 400), ("2.63", "trusted_image_certificates", None, 202),
    ("2.73", "host", "host-1", 400), ("2.74", "host", "host-1", 202),
])
def test_fields_of_a_creation(nova: Nova, version: str, field: str, value: Any, status: int) -> None:
    """A field is refused before it existed and after it was gone."""
    networks: dict[str, Any] = {"networks": "auto"} if version >= "2.37" else {"networks": []}
    body = {"name": "web", "imageRef": nova.image, "flavorRef": "1", **networks, field: value}
    assert nova.ask("POST", "/servers", {"server": body}, "admin", version).status == status


def test_networks_are_required_since_2_37(nova: Nova) -> None:
    """Before, nothing meant automatic."""
    body = {"name": "web", "imageRef": nova.image, "flavorRef": "1"}
    assert nova.ask("POST", "/servers", {"server": body}, version="2.36").status == 202
    answer = nova.ask("POST", "/servers", {"server": body}, version="2.37")
    assert (answer.status, "networks" in answer.message) == (400, True)


@pytest.mark.parametrize(("method", "path", "version", "body"), [
    ("GET", "/servers/{id}/tags", "2.25", None),
    ("PUT", "/os-services/enable", "2.53", {"host": "host-1", "binary": "nova-compute"}),
    ("GET", "/os-hypervisors/host/search", "2.53", None),
    ("PUT", "/os-services/00000000-0000-0000-0000-000000000000", "2.52", {"status": "enabled"}),
])
def test_routes_that_a_version_lacks(nova: Nova, method: str, path: str, version: str, body: Any) -> None:
    """They are not found."""
    id = nova.create()["id"]
    assert nova.ask(method, path.format(id=id), body, "admin", version).status == 404


def test_key_pairs_by_version(nova: Nova) -> None:
    """Status codes and the type since 2.2, pages since 2.35, keys of others since 2.10."""
    made = nova.ask("POST", "/os-keypairs", {"keypair": {"name": "a"}}, version="2.1")
    assert (made.status, "type" in made.body["keypair"]) == (200, False)
    assert nova.ask("DELETE", "/os-keypairs/a", version="2.1").status == 202
    made = nova.ask("POST", "/os-keypairs", {"keypair": {"name": "a", "type": "ssh"}}, version="2.2")
    assert (made.status, made.body["keypair"]["type"]) == (201, "ssh")
    nova.ask("POST", "/os-keypairs", {"keypair": {"name": "b"}})
    for version, count in (("2.34", 2), ("2.35", 1)):
        assert len(nova.ask("GET", "/os-keypairs?limit=1", version=version).body["keypairs"]) == count
    user_id = nova.callers["member"].user_id
    assert len(nova.ask("GET", f"/os-keypairs?user_id={user_id}", None, "admin", "2.10").body["keypairs"]) == 2
    assert nova.ask("GET", f"/os-keypairs?user_id={user_id}", None, "admin", "2.9").body["keypairs"] == []
    assert nova.ask("GET", f"/os-keypairs?user_id={user_id}", None, "stranger", "2.10").status == 403
    assert nova.ask("DELETE", "/os-keypairs/a").status == 204


@pytest.mark.parametrize(("path", "old", "new"), [
    ("/limits", "2.35", "2.36"), ("/limits", "2.38", "2.39"), ("/limits", "2.56", "2.57"),
    ("/os-quota-sets/{project}", "2.35", "2.36"), ("/os-quota-sets/{project}", "2.56", "2.57")])
def test_limits_lose_what_moved_elsewhere(nova: Nova, path: str, old: str, new: str) -> None:
    """Proxies with 2.36, image metadata with 2.39, injected files with 2.57."""
    where = path.format(project=nova.cloud.caller.project_id)
    shown = []
    for version in (old, new):
        (body,) = nova.ask("GET", where, version=version).body.values()
        shown.append(set(body.get("absolute", body)))
    assert shown[1] < shown[0]


def test_rows_of_views_hold_for_their_span() -> None:
    """A span ends just before ``until``."""
    rows = (Shown("a", str, until=(2, 5)), Shown("b", str, since=(2, 5)), Shown("c", str, admin=True))
    assert view(rows, 1, (2, 4)) == {"a": "1"}
    assert view(rows, 1, (2, 5), admin=True) == {"b": "1", "c": "1"}


def test_every_schema_refuses_what_it_does_not_know() -> None:
    """At each version; what is not named is not taken."""
    body = Body("thing", Property("a", {}, until=(2, 3)), Property("b", {}, since=(2, 3), required=True))
    assert body.validator((2, 2)).is_valid({"thing": {"a": 1}})
    assert not body.validator((2, 2)).is_valid({"thing": {"b": 1}})
    assert not body.validator((2, 3)).is_valid({"thing": {}})
    assert not body.validator((2, 3)).is_valid({"thing": {"b": 1}, "other": 1})


def test_no_part_of_the_service_hides_another() -> None:
    """The parts are one class in the end, so a name twice would be one of them lost."""
    parts = [part for part in ComputeService.__mro__ if part.__module__.startswith(routing.__name__.rpartition(".")[0])
             and part not in (ComputeService, routing.Operations)]
    names = [name for part in parts for name in vars(part) if not name.startswith("__")]
    assert len(parts) > 10
    assert sorted(names) == sorted(set(names))


def test_versions_stand_in_order() -> None:
    """The lowest is 2.1 for ever."""
    assert LOWEST == (2, 1) <= HIGHEST
