"""Actions on servers, and their parts: metadata, tags, groups, history."""

from typing import Any

import pytest

from stackd.api.openstack.compute.actions import ACTIONS, KNOWN_ELSEWHERE
from tests.api.openstack.compute.conftest import Nova


@pytest.mark.parametrize(("state", "name", "body", "status"), [
    ("BUILD", "os-stop", None, 409), ("BUILD", "os-start", None, 409), ("BUILD", "reboot", {"type": "HARD"}, 409),
    ("ACTIVE", "os-start", None, 409), ("SHUTOFF", "os-stop", None, 409), ("SHUTOFF", "reboot", {"type": "SOFT"}, 409),
    ("SHUTOFF", "reboot", {"type": "HARD"}, 202), ("BUILD", "os-getConsoleOutput", {}, 200),
    ("ACTIVE", "reboot", {"type": "GENTLE"}, 400), ("ACTIVE", "reboot", None, 400), ("ACTIVE", "reboot", {}, 400),
    ("ACTIVE", "os-getConsoleOutput", {"length": "x"}, 400), ("ACTIVE", "os-getConsoleOutput", {"length": -1}, 200),
    ("ACTIVE", "os-getConsoleOutput", {"length": "2"}, 200), ("ACTIVE", "dance", None, 400),
    ("ACTIVE", "addSecurityGroup", {"name": "nope"}, 404), ("ACTIVE", "removeSecurityGroup", {"name": "nope"}, 404),
    ("ACTIVE", "addSecurityGroup", {}, 400), *(("ACTIVE", name, None, 501) for name in sorted(KNOWN_ELSEWHERE)[:3]),
])
def test_what_a_state_permits(nova: Nova, state: str, name: str, body: Any, status: int) -> None:
    """Refused with a conflict where the state is wrong, as a bad request where the body is."""
    id = nova.create()["id"]
    if state != "BUILD":
        nova.settle(id, "ACTIVE")
    if state == "SHUTOFF":
        nova.act(id, "os-stop")
        nova.settle(id, "SHUTOFF")
    answer = nova.act(id, name, body)
    assert answer.status == status, answer
    if status == 409:
        assert id in answer.message


def test_bodies_of_actions_name_one(nova: Nova) -> None:
    """Not none, not two."""
    id = nova.create()["id"]
    wrong: tuple[Any, ...] = ({}, {"os-start": None, "os-stop": None}, [], None)
    for body in wrong:
        assert nova.ask("POST", f"/servers/{id}/action", body).status == 400
    assert not KNOWN_ELSEWHERE & set(ACTIONS)


def test_the_console_ends_with_its_last_lines(nova: Nova) -> None:
    """As many as asked for."""
    id = nova.running()
    whole = nova.act(id, "os-getConsoleOutput", {}).body["output"]
    assert "ready" in whole
    assert nova.act(id, "os-getConsoleOutput", {"length": 1}).body["output"] == whole.splitlines(keepends=True)[-1]
    assert nova.act(id, "os-getConsoleOutput", {"length": 0}).body["output"] == ""
    assert nova.act(id, "os-getConsoleOutput", {"length": 10**6}).body["output"] == whole


def test_locks_keep_users_out(nova: Nova) -> None:
    """All but admins, until unlocked."""
    id = nova.running()
    assert nova.act(id, "lock", {"locked_reason": "do not touch"}).status == 202
    assert (nova.show(id)["locked"], nova.show(id)["locked_reason"]) == (True, "do not touch")
    assert nova.names("locked=true") == ["web"] and nova.names("locked=false") == []
    assert nova.act(id, "os-stop").status == 409
    assert nova.act(id, "os-stop", who="admin").status == 202
    nova.settle(id, "SHUTOFF")
    assert nova.act(id, "unlock").status == 202
    assert (nova.show(id)["locked"], nova.show(id)["locked_reason"]) == (False, None)
    assert nova.act(id, "os-start").status == 202
    assert nova.act(id, "lock", {"locked_reason": "x"}, version="2.72").status == 400
    assert nova.act(id, "lock", version="2.1").status == 202


def test_groups_come_and_go(nova: Nova) -> None:
    """By name, once however often."""
    cloud, id = nova.cloud, nova.running()
    cloud.run(cloud.core.groups.create(cloud.caller, "web"))
    for _ in range(2):
        assert nova.act(id, "addSecurityGroup", {"name": "web"}).status == 202
        assert {group["name"] for group in nova.show(id)["security_groups"]} == {"default", "web"}
    shown = nova.ask("GET", f"/servers/{id}/os-security-groups").body["security_groups"]
    assert {group["name"] for group in shown} == {"default", "web"}
    assert nova.act(id, "removeSecurityGroup", {"name": "web"}).status == 202
    assert nova.show(id)["security_groups"] == [{"name": "default"}]
    assert nova.act(id, "removeSecurityGroup", {"name": "web"}).status == 404
    alone = nova.running(networks="none")
    assert nova.act(alone, "addSecurityGroup", {"name": "web"}).status == 400


def test_metadata(nova: Nova) -> None:
    """All and one by one."""
    path = f"/servers/{nova.create(metadata={'a': '1'})['id']}/metadata"
    assert nova.ask("POST", path, {"metadata": {"b": "2"}}).body == {"metadata": {"a": "1", "b": "2"}}
    assert nova.ask("GET", f"{path}/b").body == {"meta": {"b": "2"}}
    assert nova.ask("PUT", f"{path}/b", {"meta": {"b": "3"}}).body == {"meta": {"b": "3"}}
    assert nova.ask("DELETE", f"{path}/a").status == 204
    assert nova.ask("GET", path).body == {"metadata": {"b": "3"}}
    assert nova.ask("PUT", path, {"metadata": {"c": "4"}}).body == {"metadata": {"c": "4"}}
    steps: tuple[tuple[str, str, Any, int], ...] = (
            ("GET", "/x", None, 404), ("DELETE", "/x", None, 404), ("PUT", "/x", {"meta": {"y": "1"}}, 400),
            ("PUT", "/x", {"meta": {"x": "1", "y": "1"}}, 400), ("PUT", "/x", {"meta": {}}, 400),
            ("POST", "", {"metadata": {"a": 1}}, 400), ("POST", "", {"metadata": {"": "1"}}, 400),
            ("POST", "", {"metadata": {"a": "1" * 256}}, 400), ("POST", "", {}, 400),
            ("POST", "", {"metadata": {f"k{n}": "" for n in range(129)}}, 403))
    for method, where, body, status in steps:
        assert nova.ask(method, path + where, body).status == status, (method, where, body)


def test_tags(nova: Nova) -> None:
    """All and one by one, and lists by them."""
    ids = {name: nova.create(name=name, tags=tags)["id"] for name, tags in (
        ("a", ["x"]), ("b", ["x", "y"]), ("c", ["z%"]), ("d", []))}
    for query, expected in (("tags=x", "ab"), ("tags=x,y", "b"), ("tags-any=y,z%25", "bc"), ("not-tags=x", "cd"),
                            ("not-tags=x,y", "acd"), ("not-tags-any=x,z%25", "d"), ("tags=z", "")):
        assert "".join(sorted(nova.names(query))) == expected, query
    path = f"/servers/{ids['d']}/tags"
    assert nova.ask("PUT", f"{path}/new").status == 201
    assert nova.ask("PUT", f"{path}/new").status == 204
    assert nova.ask("GET", f"{path}/new").status == 204
    assert nova.ask("GET", path).body == {"tags": ["new"]}
    assert nova.ask("PUT", f"{path}/{'x' * 61}").status == 400
    assert nova.ask("PUT", path, {"tags": ["a", "b"]}).body == {"tags": ["a", "b"]}
    assert nova.ask("PUT", path, {"tags": [f"t{n}" for n in range(51)]}).status == 400
    assert nova.ask("DELETE", f"{path}/a").status == 204
    assert nova.ask("DELETE", f"{path}/a").status == 404
    assert nova.ask("DELETE", path).status == 204
    assert nova.ask("GET", path).body == {"tags": []}


def test_history(nova: Nova) -> None:
    """What users did, newest first, with what came of it."""
    id = nova.running()
    nova.act(id, "os-stop")
    nova.settle(id, "SHUTOFF")
    path = f"/servers/{id}/os-instance-actions"
    actions = nova.ask("GET", path).body["instanceActions"]
    assert [action["action"] for action in actions] == ["stop", "create"]
    assert {action["instance_uuid"] for action in actions} == {id}
    shown = nova.ask("GET", f"{path}/{actions[1]['request_id']}").body["instanceAction"]
    assert shown["events"] and all(event["result"] == "Success" for event in shown["events"])
    assert "events" not in nova.ask("GET", f"{path}/{actions[1]['request_id']}", version="2.50").body["instanceAction"]
    assert nova.ask("GET", f"{path}/req-nope").status == 404
    page = nova.ask("GET", f"{path}?limit=1").body
    assert [action["action"] for action in page["instanceActions"]] == ["stop"]
    following = page["links"][0]["href"].partition("/v2.1")[2]
    assert [action["action"] for action in nova.ask("GET", following).body["instanceActions"]] == ["create"]
    assert len(nova.ask("GET", f"{path}?limit=1", version="2.57").body["instanceActions"]) == 2
    nova.ask("DELETE", f"/servers/{id}")
    nova.cloud.until(lambda: nova.ask("GET", f"/servers/{id}").status == 404)
    assert nova.ask("GET", path, version="2.21").body["instanceActions"][0]["action"] == "delete"
    assert nova.ask("GET", path, version="2.20").status == 404
    assert nova.ask("GET", path, who="stranger").status == 404


def test_addresses(nova: Nova) -> None:
    """By network."""
    path = f"/servers/{nova.running()}/ips"
    shown = nova.ask("GET", path).body["addresses"]
    assert shown["default"] == [{"version": 4, "addr": "172.31.0.2"}]
    assert nova.ask("GET", f"{path}/default").body == shown
    assert nova.ask("GET", f"{path}/nope").status == 404
