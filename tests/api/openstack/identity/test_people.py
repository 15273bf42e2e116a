"""Projects, users, roles and credentials over HTTP: what admins do with them, and what others may not."""

from typing import Any

import pytest
from pytest_twisted import ensureDeferred


@ensureDeferred
async def test_an_admin_makes_a_tenant_as_test_suites_do(keystone: Any) -> None:
    admin = await keystone.token("admin")
    project = (await keystone.ask("POST", "/v3/projects", admin, {"project": {
        "name": "p1", "description": "d", "domain_id": "default", "enabled": True}})).body["project"]
    user = (await keystone.ask("POST", "/v3/users", admin, {"user": {
        "name": "u1", "password": "u1-secret", "email": "u@example.org", "domain_id": "default",
        "default_project_id": project["id"]}})).body["user"]
    roles = (await keystone.ask("GET", "/v3/roles?name=member", admin)).body["roles"]
    assert [role["name"] for role in roles] == ["member"]
    one = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{roles[0]['id']}"
    for method in ("PUT", "PUT", "HEAD"):
        assert (await keystone.ask(method, one, admin)).status == 204
    login = await keystone.login("u1")
    assert login.body["token"]["project"] | {"domain": None} == {"id": project["id"], "name": "p1", "domain": None}
    held = (await keystone.ask("GET", f"/v3/role_assignments?user.id={user['id']}&include_names", admin)).body
    assert [(each["user"]["name"], each["scope"]["project"]["name"], each["role"]["name"])
            for each in held["role_assignments"]] == [("u1", "p1", "member")]
    assert (await keystone.ask("DELETE", one, admin)).status == 204
    assert (await keystone.ask("HEAD", one, admin)).status == 404
    assert (await keystone.ask("GET", "/v3/auth/projects", login.token)).status == 401
    for path in (f"/v3/users/{user['id']}", f"/v3/projects/{project['id']}"):
        assert (await keystone.ask("DELETE", path, admin)).status == 204
        assert (await keystone.ask("GET", path, admin)).status == 404


@ensureDeferred
@pytest.mark.parametrize(("word", "body"), [
    ("project", {"name": "demo"}), ("user", {"name": "demo"}), ("role", {"name": "member"})])
async def test_taken_names_conflict(keystone: Any, word: str, body: Any) -> None:
    answer = await keystone.ask("POST", f"/v3/{word}s", await keystone.token("admin"), {word: body})
    assert (answer.status, answer.body["error"]["title"]) == (409, "Conflict")


@ensureDeferred
@pytest.mark.parametrize("word", ["project", "user", "role"])
async def test_everything_can_be_renamed_and_described(keystone: Any, word: str) -> None:
    admin = await keystone.token("admin")
    made = (await keystone.ask("POST", f"/v3/{word}s", admin, {word: {"name": "before"}})).body[word]
    path = f"/v3/{word}s/{made['id']}"
    changed = await keystone.ask("PATCH", path, admin, {word: {"name": "after", "description": "told"}})
    assert changed.status == 200
    shown = (await keystone.ask("GET", path, admin)).body[word]
    assert (shown["name"], shown["description"], shown["id"]) == ("after", "told", made["id"])
    assert shown["links"]["self"] == f"http://cloud.example:5000/identity{path}"


@ensureDeferred
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("word", ["project", "user", "role"])
async def test_unknown_ids_and_names_in_the_path_are_not_found(keystone: Any, word: str, method: str) -> None:
    body = {word: {"description": "x"}} if method == "PATCH" else None
    for id in ("demo", "member", "f" * 32, "%C3%BC", "x" * 300):
        answer = await keystone.ask(method, f"/v3/{word}s/{id}", await keystone.token("admin"), body)
        assert (answer.status, answer.body["error"]["code"]) == (404, 404)


@ensureDeferred
@pytest.mark.parametrize(("path", "body"), [
    ("/v3/projects", {"project": {}}), ("/v3/projects", {"project": {"name": ""}}), ("/v3/projects", {"project": []}),
    ("/v3/projects", {"project": {"name": "x" * 256}}), ("/v3/projects", {"project": {"name": "  "}}),
    ("/v3/users", {"user": {"name": "x", "enabled": "yes"}}), ("/v3/users", {"user": {"name": "x", "password": ""}}),
    ("/v3/users", {"user": {"name": "x", "default_project_id": "nothing"}}), ("/v3/roles", {"role": {"name": 1}})])
async def test_bodies_that_make_no_sense_are_refused(keystone: Any, path: str, body: Any) -> None:
    answer = await keystone.ask("POST", path, await keystone.token("admin"), body)
    assert (answer.status, answer.body["error"]["title"]) == (400, "Bad Request")


@ensureDeferred
async def test_lists_are_filtered_and_paged(keystone: Any) -> None:
    admin = await keystone.token("admin")
    for number in range(5):
        await keystone.ask("POST", "/v3/users", admin, {"user": {"name": f"u{number}", "enabled": number != 0}})
    found = (await keystone.ask("GET", "/v3/users?name=u3", admin)).body["users"]
    assert [user["name"] for user in found] == ["u3"]
    off = (await keystone.ask("GET", "/v3/users?enabled=false", admin)).body["users"]
    assert [user["name"] for user in off] == ["u0"]
    seen, path = [], "/v3/users?limit=2"
    while path:
        page = (await keystone.ask("GET", path, admin)).body
        assert len(page["users"]) <= 2
        seen += [user["name"] for user in page["users"]]
        path = (page["links"]["next"] or "").partition("/identity")[2]
    assert sorted(seen) == ["admin", "demo", "u0", "u1", "u2", "u3", "u4"]
    for limit in ("0", "-1", "x", ""):
        assert (await keystone.ask("GET", f"/v3/users?limit={limit}", admin)).status == 400


@ensureDeferred
@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/v3/projects", None), ("GET", "/v3/users", None), ("GET", "/v3/roles", None),
    ("GET", "/v3/role_assignments", None), ("POST", "/v3/projects", {"project": {"name": "x"}}),
    ("POST", "/v3/users", {"user": {"name": "x"}}), ("POST", "/v3/roles", {"role": {"name": "x"}}),
    ("PATCH", "/v3/projects/{demo_project}", {"project": {"enabled": True}}),
    ("PATCH", "/v3/users/{demo}", {"user": {"name": "root"}}), ("DELETE", "/v3/users/{demo}", None),
    ("DELETE", "/v3/projects/{demo_project}", None), ("GET", "/v3/projects/{demo_project}/users/{demo}/roles", None),
    ("PUT", "/v3/projects/{demo_project}/users/{demo}/roles/x", None)])
async def test_members_are_forbidden_what_admins_do(keystone: Any, method: str, path: str, body: Any) -> None:
    made = keystone.made
    filled = path.format(demo=made.demo.user.id, demo_project=made.demo.project.id)
    answer = await keystone.ask(method, filled, await keystone.token("demo"), body)
    assert (answer.status, answer.body["error"]["title"]) == (403, "Forbidden")


@ensureDeferred
@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/v3/users/{admin}", None), ("GET", "/v3/users/{admin}/projects", None),
    ("GET", "/v3/projects/{admin_project}", None), ("GET", "/v3/users/{admin}/credentials/OS-EC2", None),
    ("POST", "/v3/users/{admin}/credentials/OS-EC2", {"tenant_id": "{admin_project}"}),
    ("GET", "/v3/users/{demo}/credentials/OS-EC2/{admin_key}", None),
    ("DELETE", "/v3/users/{demo}/credentials/OS-EC2/{admin_key}", None),
    ("POST", "/v3/users/{demo}/credentials/OS-EC2", {"tenant_id": "{admin_project}"}),
    ("GET", "/v3/users/{admin}/application_credentials", None),
    ("POST", "/v3/users/{admin}/application_credentials", {"application_credential": {"name": "x"}}),
    ("POST", "/v3/users/{admin}/password", {"user": {"original_password": "admin-secret", "password": "x"}})])
async def test_of_others_members_cannot_even_learn_that_they_exist(
        keystone: Any, method: str, path: str, body: Any) -> None:
    made = keystone.made
    names = {"admin": made.admin.user.id, "admin_project": made.admin.project.id, "demo": made.demo.user.id,
             "admin_key": made.admin.key.access}
    if body and "tenant_id" in body:
        body = {"tenant_id": body["tenant_id"].format(**names)}
    answer = await keystone.ask(method, path.format(**names), await keystone.token("demo"), body)
    assert (answer.status, answer.body["error"]["title"]) == (404, "Not Found")


@ensureDeferred
async def test_members_see_themselves_and_their_projects(keystone: Any) -> None:
    token, demo = await keystone.token("demo"), keystone.made.demo
    assert (await keystone.ask("GET", f"/v3/users/{demo.user.id}", token)).body["user"]["name"] == "demo"
    assert (await keystone.ask("GET", f"/v3/projects/{demo.project.id}", token)).body["project"]["name"] == "demo"
    own = (await keystone.ask("GET", f"/v3/users/{demo.user.id}/projects", token)).body["projects"]
    for word in ("users", "projects"):
        for name, ids in (("demo", [getattr(demo, word[:-1]).id]), ("admin", [])):
            found = await keystone.ask("GET", f"/v3/{word}?name={name}", token)
            assert [each["id"] for each in found.body[word]] == ids
    assert [project["id"] for project in own] == [demo.project.id]
    held = (await keystone.ask("GET", f"/v3/role_assignments?user.id={demo.user.id}", token)).body
    assert len(held["role_assignments"]) == 1


@ensureDeferred
async def test_users_change_their_own_password(keystone: Any) -> None:
    token, path = await keystone.token("demo"), f"/v3/users/{keystone.made.demo.user.id}/password"
    wrong = {"user": {"original_password": "wrong", "password": "new"}}
    assert (await keystone.ask("POST", path, token, wrong)).status == 401
    keystone.clock.advance(1)
    right = {"user": {"original_password": "demo-secret", "password": "new"}}
    assert (await keystone.ask("POST", path, token, right)).status == 204
    assert (await keystone.ask("GET", "/v3/auth/projects", token)).status == 401
    assert (await keystone.login("demo")).status == 401
    assert (await keystone.login("demo", password="new")).status == 201


@ensureDeferred
async def test_ec2_keys_are_made_shown_and_deleted(keystone: Any) -> None:
    token, demo = await keystone.token("demo"), keystone.made.demo
    path = f"/v3/users/{demo.user.id}/credentials/OS-EC2"
    made = await keystone.ask("POST", path, token, {"tenant_id": demo.project.id})
    key = made.body["credential"]
    assert made.status == 201 and len(key["access"]) == 20 and len(key["secret"]) == 40
    assert (await keystone.identity.access_key(key["access"])).secret == key["secret"]
    listed = (await keystone.ask("GET", path, token)).body["credentials"]
    assert {each["access"] for each in listed} == {demo.key.access, key["access"]}
    assert (await keystone.ask("GET", f"{path}/{key['access']}", token)).body["credential"] == key
    assert (await keystone.ask("DELETE", f"{path}/{key['access']}", token)).status == 204
    assert (await keystone.ask("GET", f"{path}/{key['access']}", token)).status == 404


@ensureDeferred
async def test_application_credentials_show_their_secret_once(keystone: Any) -> None:
    token, demo = await keystone.token("demo"), keystone.made.demo
    path = f"/v3/users/{demo.user.id}/application_credentials"
    made = await keystone.ask("POST", path, token, {"application_credential": {"name": "ci", "description": "d"}})
    credential = made.body["application_credential"]
    assert made.status == 201 and len(credential.pop("secret")) == 64
    assert [role["name"] for role in credential["roles"]] == ["member"] and credential["project_id"] == demo.project.id
    assert (await keystone.ask("GET", f"{path}/{credential['id']}", token)).body["application_credential"] == credential
    assert (await keystone.ask("GET", f"{path}?name=ci", token)).body["application_credentials"] == [credential]
    assert (await keystone.ask("GET", f"{path}?name=other", token)).body["application_credentials"] == []
    again = await keystone.ask("POST", path, token, {"application_credential": {"name": "ci"}})
    assert again.status == 409


@ensureDeferred
@pytest.mark.parametrize(("asked", "status"), [
    ({"name": "x", "roles": [{"name": "admin"}]}, 403), ({"name": "x", "expires_at": "soon"}, 400),
    ({"name": "x", "expires_at": "2001-01-01T00:00:00"}, 400), ({"name": "x", "unrestricted": True}, 400), ({}, 400)])
async def test_application_credentials_cannot_hold_more_than_their_maker(
        keystone: Any, asked: Any, status: int) -> None:
    path = f"/v3/users/{keystone.made.demo.user.id}/application_credentials"
    answer = await keystone.ask("POST", path, await keystone.token("demo"), {"application_credential": asked})
    assert answer.status == status


@ensureDeferred
async def test_the_built_in_roles_stay(keystone: Any) -> None:
    admin = await keystone.token("admin")
    for role in (await keystone.ask("GET", "/v3/roles", admin)).body["roles"]:
        assert (await keystone.ask("DELETE", f"/v3/roles/{role['id']}", admin)).status == 409


@ensureDeferred
async def test_what_is_fixed_can_be_read(keystone: Any) -> None:
    token = await keystone.token("demo")
    assert (await keystone.ask("GET", "/v3/domains?name=Default", token)).body["domains"][0]["id"] == "default"
    assert (await keystone.ask("GET", "/v3/domains?name=other", token)).body["domains"] == []
    assert (await keystone.ask("GET", "/v3/domains/default", token)).body["domain"]["name"] == "Default"
    assert (await keystone.ask("GET", "/v3/domains/other", token)).status == 404
    (compute,) = (await keystone.ask("GET", "/v3/services?type=compute", token)).body["services"]
    endpoints = (await keystone.ask("GET", f"/v3/endpoints?service_id={compute['id']}", token)).body["endpoints"]
    assert {endpoint["interface"] for endpoint in endpoints} == {"public", "internal", "admin"}
    assert (await keystone.ask("GET", "/v3/regions", token)).body["regions"][0]["id"] == "us-east-1"
    assert (await keystone.ask("GET", "/v3/groups", token)).body["groups"] == []
