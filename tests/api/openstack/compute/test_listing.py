"""Lists of servers: filters, order, pages, and who sees whose."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import fields

from stackd.api.openstack.compute.queries import FILTERS, name_like
from stackd.model.instances import InstanceQuery
from tests.api.openstack.compute.conftest import Nova


@pytest.fixture(scope="module")
def three() -> Nova:
    """For tests that only look: ``web-1`` runs, ``web-2`` is stopped, ``db`` of another flavor waits in the other zone.

    And a stranger has ``theirs``.
    """
    nova = Nova()
    nova.running(name="web-1")
    nova.act(stopped := nova.running(name="web-2"), "os-stop")
    nova.settle(stopped, "SHUTOFF")
    nova.create(name="db", flavorRef="1", availability_zone="us-east-1b")
    nova.create("stranger", name="theirs")
    return nova


@pytest.mark.parametrize(("query", "expected"), [
    ("", "db web-2 web-1"), ("name=web", "web-2 web-1"), ("name=^web-1$", "web-1"), ("name=^eb", ""),
    ("name=w.b-.*", "web-2 web-1"), ("name=b$", "db"), ("name=b%24", "db"), ("name=web.%2B1", "web-1"),
    ("name=%25", ""), ("name=None", "db web-2 web-1"), ("status=ACTIVE", "web-1"), ("status=shutoff", "web-2"),
    ("status=BUILD", "db"), ("status=RESCUE", ""), ("status=ACTIVE&status=BUILD", "db web-1"),
    ("flavor=1", "db"), ("flavor=http://x/flavors/1", "db"), ("flavor=None", "db web-2 web-1"), ("flavor=nope", ""),
    ("image={image}", "db web-2 web-1"), ("image=00000000-0000-0000-0000-000000000001", ""),
    ("ip=172.31.0.2", "web-1"), ("ip=^172.31", "db web-2 web-1"), ("ip=^31", ""), ("ip6=2001", ""),
    ("sort_key=created_at&sort_dir=asc", "web-1 web-2 db"), ("sort_dir=asc", "web-1 web-2 db"),
    ("limit=1", "db"), ("limit=0", ""), ("nonsense=x", "db web-2 web-1"), ("deleted=False", "db web-2 web-1"),
    ("host=host-1", "db web-2 web-1"), ("all_tenants=False", "db web-2 web-1"), ("all_tenants=None", "db web-2 web-1"),
])
def test_filters(three: Nova, query: str, expected: str) -> None:
    """Those that are none are ignored, those for admins too."""
    assert " ".join(three.names(query.format(image=three.image))) == expected


@pytest.mark.parametrize(("query", "status"), [
    ("status=DANCING", 400), ("status=DELETED", 403), ("all_tenants=1", 403), ("limit=-1", 400), ("limit=x", 400),
    ("marker=nope", 400), ("marker=00000000-0000-0000-0000-000000000001", 400), ("sort_key=flavor", 400),
    ("sort_dir=up", 400), ("changes-since=yesterday", 400), ("ip=(a%2B)%2B", 400), ("ip=[", 400),
    ("ip=.*.*.*x", 400)])
def test_queries_that_are_refused(nova: Nova, query: str, status: int) -> None:
    """With the argument's name or the reason."""
    for path in ("/servers", "/servers/detail"):
        assert nova.ask("GET", f"{path}?{query}").status == status


def test_unknown_statuses_found_nothing_before_2_38(three: Nova) -> None:
    """Then they became an error."""
    assert three.names("status=DANCING", version="2.37") == []


def test_pages_lead_through_all(nova: Nova) -> None:
    """Each link to the next, and then no more."""
    nova.ask("POST", "/servers", {"server": nova.wanted(min_count=5)})
    seen, path = [], "/servers?limit=2&name=web"
    while path:
        body = nova.ask("GET", path).body
        seen.append([server["name"] for server in body["servers"]])
        (link,) = body.get("servers_links") or [{"href": "", "rel": "next"}]
        path = link["href"].partition("/v2.1")[2]
    assert [len(page) for page in seen] == [2, 2, 1]
    assert len({name for page in seen for name in page}) == 5


def test_changes_since_include_what_is_gone(nova: Nova) -> None:
    """So that a client that polls learns of it."""
    old = nova.running(name="old")
    nova.cloud.advance(100)
    since = datetime.fromtimestamp(nova.cloud.clock.seconds(), UTC)
    gone = nova.running(name="gone")
    nova.ask("DELETE", f"/servers/{gone}")
    nova.cloud.until(lambda: nova.ask("GET", f"/servers/{gone}").status == 404)
    assert nova.names() == ["old"]
    assert nova.names(f"changes-since={since:%Y-%m-%dT%H:%M:%SZ}") == ["gone"]
    assert nova.names(f"changes-since={since:%Y-%m-%dT%H:%M:%S}%2B00:00") == ["gone"]
    assert nova.names(f"changes-before={since - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}") == ["old"]
    (server,) = nova.ask("GET", "/servers/detail?deleted=True&all_tenants=1", None, "admin").body["servers"]
    assert (server["id"], server["status"]) == (gone, "DELETED") and server["OS-SRV-USG:terminated_at"]
    assert nova.show(old)["id"] == old


def test_admins_see_all_when_they_ask(three: Nova) -> None:
    """Of all projects or of one."""
    theirs, ours = (three.callers[who].project_id for who in ("stranger", "member"))
    assert three.names("", "admin") == []
    assert len(three.names("all_tenants=1", "admin")) == 4
    assert three.names(f"all_tenants=True&project_id={theirs}", "admin") == ["theirs"]
    assert len(three.names(f"all_tenants=&tenant_id={ours}", "admin")) == 3
    assert three.names("all_tenants=1&availability_zone=us-east-1b&name=db", "admin") == ["db"]
    (server,) = three.ask("GET", f"/servers/detail?all_tenants=1&project_id={theirs}", None, "admin").body["servers"]
    assert server["tenant_id"] == theirs and list(server["addresses"]) == ["default"]


def test_strangers_see_and_touch_nothing(nova: Nova) -> None:
    """Every path of a server is not found for another project."""
    id = nova.running(metadata={"a": "b"}, tags=["x"])
    port = nova.ask("GET", f"/servers/{id}/os-interface").body["interfaceAttachments"][0]["port_id"]
    request = nova.ask("GET", f"/servers/{id}/os-instance-actions").body["instanceActions"][0]["request_id"]
    assert nova.names("", "stranger") == [] == nova.names("ip=172.31.0.2", "stranger")
    requests: tuple[tuple[str, str, Any], ...] = (
            ("GET", "", None), ("PUT", "", {"server": {"name": "x"}}), ("DELETE", "", None),
            *(("POST", "/action", {name: value}) for name, value in (
                ("os-stop", None), ("os-start", None), ("reboot", {"type": "HARD"}), ("lock", None), ("unlock", None),
                ("os-getConsoleOutput", {}), ("addSecurityGroup", {"name": "default"}),
                ("removeSecurityGroup", {"name": "default"}))),
            ("GET", "/metadata", None), ("POST", "/metadata", {"metadata": {"x": "y"}}), ("GET", "/metadata/a", None),
            ("PUT", "/metadata", {"metadata": {}}), ("PUT", "/metadata/a", {"meta": {"a": "c"}}),
            ("DELETE", "/metadata/a", None), ("GET", "/ips", None), ("GET", "/ips/default", None),
            ("GET", "/os-interface", None), ("GET", f"/os-interface/{port}", None),
            ("GET", "/os-security-groups", None),
            ("GET", "/os-instance-actions", None), ("GET", f"/os-instance-actions/{request}", None),
            ("GET", "/tags", None), ("PUT", "/tags", {"tags": []}), ("PUT", "/tags/y", None), ("GET", "/tags/x", None),
            ("DELETE", "/tags", None), ("DELETE", "/tags/x", None))
    for method, path, body in requests:
        answer = nova.ask(method, f"/servers/{id}{path}", body, "stranger")
        assert answer.status == 404, (method, path, answer)
        assert id in answer.message
    server = nova.show(id)
    assert (server["status"], server["name"]) == ("ACTIVE", "web")
    assert (server["metadata"], server["tags"]) == ({"a": "b"}, ["x"])


@pytest.mark.parametrize(("pattern", "like"), [
    ("web", "%web%"), ("^web", "web%"), ("web$", "%web"), ("^a.c$", "a_c"), ("a.*b", "%a%b%"), ("a.+b", "%a_%b%"),
    (r"a\.b", "%a.b%"), ("50%", "%50\\%%"), ("a_b", "%a\\_b%"), ("(1)", "%(1)%"), (r"a\\b", "%a\\\\b%"),
    (r"a\$", "%a$%")])
def test_patterns_of_names(pattern: str, like: str) -> None:
    """The part of regular expressions that SQL has too; no other letter means anything."""
    assert name_like(pattern) == like


def test_every_filter_fills_a_field() -> None:
    """Of the neutral query."""
    assert {row.field for row in FILTERS} <= {each.name for each in fields(InstanceQuery)}
