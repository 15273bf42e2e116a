"""Through the OpenStack APIs another project's things do not exist, and a reader changes nothing."""

from typing import Any

import pytest

from tests.fuzz.people import Belongings, Person

SERVER, IMAGE, NETWORK = "/compute/v2.1/servers", "/image/v2/images", "/network/v2.0"
PATHS = {
    "server": SERVER, "image": IMAGE, "network": f"{NETWORK}/networks", "subnet": f"{NETWORK}/subnets",
    "port": f"{NETWORK}/ports", "group": f"{NETWORK}/security-groups", "rule": f"{NETWORK}/security-group-rules",
    "floating": f"{NETWORK}/floatingips"}
CHANGES: dict[str, Any] = {
    "server": {"server": {"name": "x"}}, "network": {"network": {"name": "x"}}, "subnet": {"subnet": {"name": "x"}},
    "port": {"port": {"name": "x"}}, "group": {"security_group": {"name": "x"}},
    "floating": {"floatingip": {"description": "x"}}}
ACTIONS: tuple[dict[str, Any], ...] = (
    {"os-start": None}, {"os-stop": None}, {"reboot": {"type": "SOFT"}}, {"reboot": {"type": "HARD"}},
    {"os-getConsoleOutput": {}}, {"addSecurityGroup": {"name": "default"}},
    {"removeSecurityGroup": {"name": "default"}})
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.mark.parametrize("kind", PATHS)
def test_it_is_neither_shown_nor_listed_nor_deleted(kind: str, stranger: Person, theirs: Belongings) -> None:
    """Not found, as if it had never been."""
    path = PATHS[kind]
    assert stranger.refused("GET", f"{path}/{theirs[kind]}") == 404
    assert stranger.refused("DELETE", f"{path}/{theirs[kind]}") == 404
    for query in ("", f"?id={theirs[kind]}", "?limit=1000"):
        listed = stranger.ask("GET", f"{path}{query}")
        assert theirs[kind] not in str([items for items in listed.values() if isinstance(items, list)])


@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_not_changed(kind: str, stranger: Person, theirs: Belongings) -> None:
    """Not found either."""
    assert stranger.refused("PUT", f"{PATHS[kind]}/{theirs[kind]}", CHANGES[kind]) == 404


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_no_action_reaches_a_server(action: dict[str, Any], stranger: Person, theirs: Belongings) -> None:
    """Every one says not found."""
    assert stranger.refused("POST", f"{SERVER}/{theirs['server']}/action", action) == 404


@pytest.mark.parametrize("below", ["ips", "metadata", "metadata/a", "os-interface", "os-instance-actions", "tags",
                                   "os-security-groups"])
def test_nothing_below_a_server_is_shown(below: str, stranger: Person, theirs: Belongings) -> None:
    """Neither its addresses nor its history."""
    assert stranger.refused("GET", f"{SERVER}/{theirs['server']}/{below}",
                            **{"OpenStack-API-Version": "compute 2.60"}) == 404


def test_nothing_below_an_image(stranger: Person, theirs: Belongings) -> None:
    """Neither bytes nor members, tags or switches."""
    image = f"{IMAGE}/{theirs['image']}"
    answers = [stranger.refused("GET", f"{image}/file"), stranger.refused("GET", f"{image}/members"),
               stranger.refused("PUT", f"{image}/tags/x"), stranger.refused("POST", f"{image}/actions/deactivate"),
               stranger.refused("POST", f"{image}/members", {"member": stranger.project_id}),
               stranger.refused("PATCH", image, [{"op": "replace", "path": "/name", "value": "x"}], **PATCH),
               stranger.refused("PUT", f"{image}/file", "x", **{"Content-Type": "application/octet-stream"})]
    assert set(answers) == {404}


@pytest.mark.parametrize("part", [
    lambda ids: {"imageRef": ids["image"]}, lambda ids: {"networks": [{"uuid": ids["network"]}]},
    lambda ids: {"networks": [{"port": ids["port"]}]}, lambda ids: {"security_groups": [{"name": ids["group"]}]},
    lambda ids: {"key_name": ids["key"]}], ids=["image", "network", "port", "group", "key"])
def test_a_launch_cannot_take_it(part: Any, stranger: Person, mine: Belongings, theirs: Belongings) -> None:
    """Image, network, port, group and key must be one's own; no server is left behind."""
    before = len(stranger.ask("GET", SERVER)["servers"])
    body = {"name": "x", "imageRef": mine["image"], "flavorRef": "t2.nano", "networks": [{"uuid": mine["network"]}]}
    assert stranger.refused("POST", SERVER, {"server": {**body, **part(theirs)}}) in (400, 404)
    assert len(stranger.ask("GET", SERVER)["servers"]) == before


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", "/ports", lambda m, t: {"port": {"network_id": t["network"]}}),
    ("POST", "/ports", lambda m, t: {"port": {"network_id": m["network"], "security_groups": [t["group"]]}}),
    ("POST", "/ports", lambda m, t: {"port": {"network_id": m["network"], "fixed_ips": [{"subnet_id": t["subnet"]}]}}),
    ("POST", "/ports", lambda m, t: {"port": {"network_id": m["network"], "project_id": t["project"]}}),
    ("POST", "/subnets", lambda m, t: {"subnet": {"network_id": t["network"], "cidr": "10.8.0.0/24", "ip_version": 4}}),
    ("POST", "/floatingips", lambda m, t: {"floatingip": {"floating_network_id": m["outside"], "port_id": t["port"]}}),
    ("POST", "/floatingips", lambda m, t: {"floatingip": {"floating_network_id": m["outside"],
                                                          "project_id": t["project"]}}),
    ("PUT", "/floatingips/{floating}", lambda m, t: {"floatingip": {"port_id": t["port"]}}),
    ("PUT", "/ports/{port}", lambda m, t: {"port": {"security_groups": [t["group"]]}}),
    ("POST", "/security-group-rules", lambda m, t: {"security_group_rule": {
        "security_group_id": t["group"], "direction": "ingress"}}),
    ("POST", "/security-group-rules", lambda m, t: {"security_group_rule": {
        "security_group_id": m["group"], "direction": "ingress", "remote_group_id": t["group"]}}),
    ("POST", "/networks", lambda m, t: {"network": {"name": "x", "project_id": t["project"]}}),
    ("POST", "/security-groups", lambda m, t: {"security_group": {"name": "x", "project_id": t["project"]}}),
    ("POST", "/networks", lambda m, t: {"network": {"shared": True}}),
    ("POST", "/networks", lambda m, t: {"network": {"router:external": True}}),
    ("PUT", "/networks/{outside}", lambda m, t: {"network": {"name": "x"}}),
    ("DELETE", "/networks/{outside}", lambda m, t: None)])
def test_the_network_cannot_refer_to_it(method: str, path: str, body: Any, stranger: Person, mine: Belongings,
                                        theirs: Belongings) -> None:
    """Ports, rules and addresses join one's own things only."""
    assert stranger.refused(method, NETWORK + path.format(**mine.ids), body(mine, theirs)) in (400, 403, 404)


@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/users/{user}", None), ("GET", "/users/{user}/projects", None),
    ("GET", "/users/{user}/credentials/OS-EC2", None), ("GET", "/users/{user}/credentials/OS-EC2/{access}", None),
    ("GET", "/users/{user}/application_credentials", None), ("GET", "/projects/{project}", None),
    ("POST", "/users/{user}/credentials/OS-EC2", {"tenant_id": "x"}),
    ("POST", "/users/{user}/password", {"user": {"original_password": "x", "password": "y"}}),
    ("DELETE", "/users/{user}/credentials/OS-EC2/{access}", None), ("DELETE", "/users/{user}", None),
    ("PATCH", "/projects/{project}", {"project": {"name": "x"}}), ("GET", "/users", None), ("GET", "/projects", None)])
def test_nobody_looks_at_other_people(method: str, path: str, body: Any, stranger: Person, theirs: Belongings) -> None:
    """Their names, projects, credentials and passwords."""
    assert stranger.refused(method, "/identity/v3" + path.format(**theirs.ids), body) in (403, 404)


def test_quotas_are_of_the_project(stranger: Person, admin: Person, mine: Belongings, theirs: Belongings) -> None:
    """Neither seen nor set nor used up by others."""
    assert stranger.refused("GET", f"{NETWORK}/quotas/{theirs['project']}") in (403, 404)
    assert stranger.refused("PUT", f"{NETWORK}/quotas/{mine['project']}", {"quota": {"network": 9}}) == 403
    admin.ask("PUT", f"{NETWORK}/quotas/{theirs['project']}", {"quota": {"network": 0}})
    made = stranger.ask("POST", f"{NETWORK}/networks", {"network": {"name": "still"}})["network"]
    assert made["project_id"] == mine["project"]


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", SERVER, {"server": {"name": "x", "flavorRef": "t2.nano", "networks": [],
                                 "imageRef": "00000000-0000-0000-0000-000000000000"}}),
    ("PUT", f"{SERVER}/{{server}}", {"server": {"name": "x"}}), ("DELETE", f"{SERVER}/{{server}}", None),
    ("POST", f"{SERVER}/{{server}}/action", {"os-stop": None}),
    ("POST", f"{SERVER}/{{server}}/action", {"reboot": {"type": "HARD"}}),
    ("POST", f"{SERVER}/{{server}}/metadata", {"metadata": {"a": "c"}}),
    ("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": "x"}}),
    ("POST", IMAGE, {"name": "x"}), ("DELETE", f"{IMAGE}/{{image}}", None), ("PUT", f"{IMAGE}/{{image}}/tags/x", None),
    ("POST", f"{NETWORK}/networks", {"network": {}}), ("DELETE", f"{NETWORK}/networks/{{network}}", None),
    ("PUT", f"{NETWORK}/ports/{{port}}", {"port": {"name": "x"}}), ("DELETE", f"{NETWORK}/ports/{{port}}", None),
    ("POST", f"{NETWORK}/security-groups", {"security_group": {}}),
    ("DELETE", f"{NETWORK}/security-groups/{{group}}", None),
    ("DELETE", f"{NETWORK}/security-group-rules/{{rule}}", None),
    ("DELETE", f"{NETWORK}/floatingips/{{floating}}", None),
    ("POST", f"{NETWORK}/floatingips", {"floatingip": {"floating_network_id": "{outside}"}})])
def test_a_reader_changes_nothing(method: str, path: str, body: Any, reader: Person, theirs: Belongings) -> None:
    """Of the own project, either."""
    assert reader.refused(method, path.format(**theirs.ids), body) in (403, 404)


@pytest.mark.parametrize("kind", PATHS)
def test_a_reader_sees_the_own_project(kind: str, reader: Person, theirs: Belongings) -> None:
    """Everything in it."""
    assert theirs[kind] in str(reader.ask("GET", f"{PATHS[kind]}/{theirs[kind]}"))


def test_a_leaked_application_credential_sees_no_other_key(stranger: Person) -> None:
    """Access keys carry all roles of their user in any project."""
    users = f"/identity/v3/users/{stranger.user_id}"
    made = stranger.ask("POST", f"{users}/application_credentials", {"application_credential": {"name": "leaked"}})
    secret = made["application_credential"]
    login = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {
        "id": secret["id"], "secret": secret["secret"]}}}}
    token = stranger.wire.send("POST", "/identity/v3/auth/tokens", body=str(login).replace("'", '"').encode())
    leaked = token.headers["x-subject-token"]
    for path in (f"{users}/credentials/OS-EC2", f"{users}/credentials/OS-EC2/{stranger.key['access']}"):
        answer = stranger.wire.send("GET", path, leaked)
        assert answer.status == 403
        assert stranger.key["secret"].encode() not in answer.body
