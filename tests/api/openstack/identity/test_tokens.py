"""Logging in over HTTP: what Keystone's clients send and read."""

from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from stackd.api.openstack.identity.catalog import DEFAULT_SERVICES

PROJECT = {"project": {"name": "demo", "domain": {"name": "Default"}}}


@ensureDeferred
@pytest.mark.parametrize(("path", "status"), [("", 300), ("/", 300), ("/v3", 200), ("/v3/", 200)])
async def test_versions_need_no_token_and_lead_back_to_where_they_were_asked(
        keystone: Any, path: str, status: int) -> None:
    answer = await keystone.ask("GET", path)
    version = answer.body["version"] if status == 200 else answer.body["versions"]["values"][0]
    assert answer.status == status and version["status"] == "stable" and version["id"].startswith("v3.")
    assert version["links"] == [{"rel": "self", "href": "http://cloud.example:5000/identity/v3/"}]


@ensureDeferred
async def test_a_token_tells_all_a_client_needs(keystone: Any) -> None:
    answer = await keystone.login("demo", PROJECT)
    token, demo = answer.body["token"], keystone.made.demo
    assert answer.status == 201 and answer.token
    assert token["user"] == {"id": demo.user.id, "name": "demo", "domain": {"id": "default", "name": "Default"},
                             "password_expires_at": None}
    assert token["project"] == {"id": demo.project.id, "name": "demo", "domain": {"id": "default", "name": "Default"}}
    assert [role["name"] for role in token["roles"]] == ["member"] and token["methods"] == ["password"]
    assert (token["issued_at"], token["expires_at"]) == ("2027-01-15T08:00:00.000000Z", "2027-01-15T09:00:00.000000Z")
    assert len(token["audit_ids"]) == 1 and token["is_domain"] is False
    assert [(entry["type"], entry["name"]) for entry in token["catalog"]] == [
        (service.type, service.name) for service in DEFAULT_SERVICES]
    compute = token["catalog"][1]["endpoints"]
    assert {endpoint["interface"] for endpoint in compute} == {"public", "internal", "admin"}
    assert {endpoint["url"] for endpoint in compute} == {"http://cloud.example:5000/compute/v2.1"}


@ensureDeferred
async def test_a_wrong_password_and_an_unknown_user_look_the_same(keystone: Any) -> None:
    wrong, unknown = await keystone.login("demo", password="x"), await keystone.login("nobody", password="x")
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body and wrong.body["error"]["title"] == "Unauthorized"


@ensureDeferred
async def test_tokens_can_be_looked_at_checked_and_deleted(keystone: Any) -> None:
    login = await keystone.login("demo")
    subject = {"X-Subject-Token": login.token}
    shown = await keystone.ask("GET", "/v3/auth/tokens", login.token, headers=subject)
    assert (shown.status, shown.body, shown.token) == (200, login.body, login.token)
    brief = await keystone.ask("GET", "/v3/auth/tokens?nocatalog", login.token, headers=subject)
    assert "catalog" not in brief.body["token"]
    head = await keystone.ask("HEAD", "/v3/auth/tokens", login.token, headers=subject)
    assert (head.status, head.body, head.token) == (200, None, login.token)
    assert (await keystone.ask("DELETE", "/v3/auth/tokens", login.token, headers=subject)).status == 204
    assert (await keystone.ask("GET", "/v3/auth/projects", login.token)).status == 401
    admin = await keystone.token("admin")
    assert (await keystone.ask("GET", "/v3/auth/tokens", admin, headers=subject)).status == 404


@ensureDeferred
async def test_a_foreign_token_is_not_shown_but_to_admins(keystone: Any) -> None:
    admin, demo = await keystone.token("admin"), await keystone.token("demo")
    for method in ("GET", "DELETE"):
        refused = await keystone.ask(method, "/v3/auth/tokens", demo, headers={"X-Subject-Token": admin})
        assert refused.status == 404
    shown = await keystone.ask("GET", "/v3/auth/tokens", admin, headers={"X-Subject-Token": demo})
    assert shown.body["token"]["user"]["name"] == "demo"


@ensureDeferred
@pytest.mark.parametrize("scope", ["unscoped", {"unscoped": {}}])
async def test_an_unscoped_token_becomes_one_for_a_project(keystone: Any, scope: Any) -> None:
    unscoped = await keystone.login("demo", scope)
    assert "project" not in unscoped.body["token"] and "catalog" not in unscoped.body["token"]
    projects = (await keystone.ask("GET", "/v3/auth/projects", unscoped.token)).body["projects"]
    rescoped = await keystone.ask("POST", "/v3/auth/tokens", body={"auth": {
        "identity": {"methods": ["token"], "token": {"id": unscoped.token}},
        "scope": {"project": {"id": projects[0]["id"]}}}})
    assert rescoped.status == 201 and rescoped.body["token"]["project"]["name"] == "demo"
    assert rescoped.body["token"]["expires_at"] == unscoped.body["token"]["expires_at"]
    assert rescoped.body["token"]["audit_ids"][1:] == unscoped.body["token"]["audit_ids"]


def _auth(**identity: Any) -> dict[str, Any]:
    return {"auth": {"identity": identity}}


@ensureDeferred
@pytest.mark.parametrize(("body", "status"), [
    ({}, 400), ([], 400), ({"auth": {}}, 400), (_auth(methods=[]), 400), (_auth(methods=["password"]), 400),
    (_auth(methods=["password"], password={}), 400), (_auth(methods=["password"], password={"user": {}}), 400),
    (_auth(methods=["password"], password={"user": {"password": "x"}}), 401),
    (_auth(methods=["password"], password={"user": {"id": 7, "password": "x"}}), 400),
    (_auth(methods=["totp"], totp={}), 401), (_auth(methods=["password", "totp"]), 401),
    (_auth(methods=["token"], token={"id": "junk"}), 401), (_auth(methods=["token"], token={"id": "é"}), 401),
    (_auth(methods=["application_credential"], application_credential={"secret": "x", "id": "y"}), 401),
    (_auth(methods=["token"], token={"id": "x"}) | {"more": 1}, 400)])
async def test_a_login_that_cannot_be_is_refused_cleanly(keystone: Any, body: Any, status: int) -> None:
    answer = await keystone.ask("POST", "/v3/auth/tokens", body=body)
    assert (answer.status, answer.body["error"]["code"]) == (status, status)


@ensureDeferred
@pytest.mark.parametrize("scope", [{"system": {"all": True}}, {"domain": {"id": "default"}},
                                   {"project": {"name": "admin", "domain": {"id": "default"}}},
                                   {"project": {"id": "../../etc"}}])
async def test_a_scope_the_user_has_no_role_in_is_refused(keystone: Any, scope: Any) -> None:
    assert (await keystone.login("demo", scope)).status == 401


@ensureDeferred
async def test_requests_without_subject_or_token_are_refused(keystone: Any) -> None:
    token = await keystone.token("demo")
    assert (await keystone.ask("GET", "/v3/auth/tokens", token)).status == 400
    assert (await keystone.ask("GET", "/v3/auth/catalog")).status == 401
    assert (await keystone.ask("GET", "/v3/auth/catalog", token)).body["catalog"][0]["type"] == "identity"
    assert (await keystone.ask("GET", "/v3/auth/domains", token)).body["domains"] == []


@ensureDeferred
async def test_logging_in_by_application_credential(keystone: Any) -> None:
    login = await keystone.login("demo")
    user = login.body["token"]["user"]["id"]
    path = f"/v3/users/{user}/application_credentials"
    made = (await keystone.ask("POST", path, login.token, {"application_credential": {
        "name": "ci", "roles": [{"name": "member"}], "expires_at": "2027-01-15T08:30:00Z"}})).body
    secret = made["application_credential"]["secret"]
    by_id = {"id": made["application_credential"]["id"], "secret": secret}
    by_name = {"name": "ci", "secret": secret, "user": {"name": "demo", "domain": {"id": "default"}}}
    for how in (by_id, by_name):
        answer = await keystone.ask("POST", "/v3/auth/tokens", body=_auth(
            methods=["application_credential"], application_credential=how))
        token = answer.body["token"]
        assert token["project"]["name"] == "demo" and token["methods"] == ["application_credential"]
        assert token["expires_at"] == "2027-01-15T08:30:00.000000Z"
    # It stays in its project, cannot breed, and ends at once when deleted.
    admin_project = {"project": {"id": keystone.made.admin.project.id}}
    elsewhere = _auth(methods=["token"], token={"id": answer.token})
    elsewhere["auth"]["scope"] = admin_project
    assert (await keystone.ask("POST", "/v3/auth/tokens", body=elsewhere)).status == 401
    refused = await keystone.ask("POST", path, answer.token, {"application_credential": {"name": "child"}})
    assert refused.status == 403
    assert (await keystone.ask("DELETE", f"{path}/{by_id['id']}", login.token)).status == 204
    assert (await keystone.ask("GET", "/v3/auth/projects", answer.token)).status == 401
