"""The image API as a client meets it: bodies, statuses, headers, lists, patches, members."""

import json
from typing import Any

import pytest
import pytest_twisted

from stackd.testing.images import caller

awaiting = pytest_twisted.ensureDeferred
BLUE = caller("bob", "blue").project_id


@pytest.mark.parametrize(("path", "status"), [("", 300), ("/", 300), ("/v2", 300), ("/v2/", 300), ("/versions", 200)])
@awaiting
async def test_versions_need_no_token(api: Any, path: str, status: int) -> None:
    code, body, _ = await api.ask("GET", path, None)
    assert code == status
    assert body["versions"][0]["status"] == "CURRENT"
    assert {link["href"] for version in body["versions"] for link in version["links"]} == {f"{api.url}/v2/"}


@pytest.mark.parametrize("by", [None, "nobody"])
@awaiting
async def test_everything_else_needs_one(api: Any, by: str | None) -> None:
    for method, path in (("GET", "/v2/images"), ("POST", "/v2/images"), ("GET", "/v2/schemas/image")):
        status, body, headers = await api.ask(method, path, by)
        assert (status, body["code"]) == (401, 401)
        assert headers.hasHeader("www-authenticate")


@awaiting
async def test_create_and_show(api: Any) -> None:
    image = await api.create(name="debian", visibility="private", min_disk=2, min_ram=256, os_hidden=False,
                             tags=["b", "a", "b"], os_distro="debian", **{"owner_specified.openstack.md5": "abc"})
    assert image["status"] == "queued" and image["tags"] == ["b", "a"]
    status, shown, _ = await api.ask("GET", image["self"])
    assert status == 200
    assert (shown["os_distro"], shown["owner_specified.openstack.md5"]) == ("debian", "abc")
    assert (shown["size"], shown["checksum"], shown["owner"]) == (None, None, caller("alice", "red").project_id)
    assert shown["file"] == f"/v2/images/{shown['id']}/file"
    assert shown["created_at"] == "1970-01-12T13:46:40Z"
    status, schema, _ = await api.ask("GET", "/v2/schemas/image")
    assert set(shown) - set(schema["properties"]) == {"os_distro", "owner_specified.openstack.md5"}


@awaiting
async def test_create_tells_where(api: Any) -> None:
    _, image, headers = await api.ask("POST", "/v2/images", json={"id": "11111111-2222-4333-8444-555555555555"})
    assert image["id"] == "11111111-2222-4333-8444-555555555555" and image["name"] is None
    assert headers.getRawHeaders("location") == [f"{api.url}/v2/images/{image['id']}"]
    status, body, _ = await api.ask("POST", "/v2/images", json={"id": image["id"]})
    assert status == 409 and "already exists" in body["message"]


@pytest.mark.parametrize(("body", "status", "words"), [
    ({"disk_format": "floppy"}, 400, "disk_format"), ({"visibility": "secret"}, 400, "visibility"),
    ({"visibility": "public"}, 403, "publicize"), ({"min_disk": -1}, 400, "min_disk"),
    ({"min_ram": "much"}, 400, "min_ram"), ({"id": "x"}, 400, "id"), ({"name": "n" * 256}, 400, "name"),
    ({"os_type": 7}, 400, "os_type"), ({"status": "active"}, 403, "read-only"), ({"checksum": "0"}, 403, "read-only"),
    ({"deleted": "no"}, 403, "reserved"), ({"owner": BLUE}, 403, "owner"), ([], 400, "object"),
    ({f"p{number}": "" for number in range(129)}, 413, "128"),
])
@awaiting
async def test_what_cannot_be_created(api: Any, body: Any, status: int, words: str) -> None:
    code, answer, _ = await api.ask("POST", "/v2/images", json=body)
    assert (code, answer["code"]) == (status, status)
    assert words in answer["message"]
    assert (await api.ask("GET", "/v2/images"))[1]["images"] == []


@awaiting
async def test_readers_read_only(api: Any) -> None:
    image = await api.create()
    assert (await api.ask("GET", image["self"], "rita"))[0] == 200
    assert (await api.ask("POST", "/v2/images", "rita", json={}))[0] == 403
    assert (await api.ask("DELETE", image["self"], "rita"))[0] == 403


@pytest.mark.parametrize("path", ["", "/file", "/members"])
@awaiting
async def test_foreign_and_unknown_images(api: Any, path: str) -> None:
    image = await api.create(visibility="private")
    for name, by in ((image["id"], "bob"), ("no-uuid", "alice"), ("0" * 32, "alice")):
        status, body, _ = await api.ask("GET", f"/v2/images/{name}{path}", by)
        assert status == 404 and name in body["message"].replace("-", "") + body["message"]


@awaiting
async def test_unknown_paths_and_methods(api: Any) -> None:
    assert (await api.ask("GET", "/v2/nothing"))[0] == 404
    assert (await api.ask("PUT", "/v2/images"))[0] == 405


@awaiting
async def test_delete(api: Any) -> None:
    image = await api.create(protected=True)
    status, body, _ = await api.ask("DELETE", image["self"])
    assert status == 403 and "protected" in body["message"]
    assert (await api.patch(image, {"op": "replace", "path": "/protected", "value": False}))[0] == 200
    assert (await api.ask("DELETE", image["self"]))[:2] == (204, b"")
    assert (await api.ask("GET", image["self"]))[0] == 404
    assert (await api.ask("DELETE", image["self"]))[0] == 404


@awaiting
async def test_a_list_is_read_page_by_page(api: Any) -> None:
    made = []
    for number in range(5):
        api.cloud.clock.advance(1)
        made.append((await api.create(name=f"image {number}"))["name"])
    seen, path = [], "/v2/images?limit=2&sort=name:asc"
    while path:
        status, body, _ = await api.ask("GET", path)
        assert status == 200 and body["first"] == "/v2/images?limit=2&sort=name%3Aasc"
        seen += [image["name"] for image in body["images"]]
        path = body.get("next")
    assert seen == made


@pytest.mark.parametrize(("query", "expected"), [
    ("name=a", ["a"]), ("name=in:a,b&sort_key=name&sort_dir=asc", ["a", "b"]), ("tag=t", ["b"]), ("os_distro=x", ["a"]),
    ("visibility=private", ["b"]), ("protected=true", []), ("status=active", []), ("size_min=1", []),
    ("created_at=lt:1970-01-12T13:46:42Z", ["a"]), ("visibility=all", ["b", "a"]), ("owner=nobody", []),
    ("id=nonsense", []), ("member_status=all", ["b", "a"]), ("sort_key=name&sort_key=size&sort_dir=desc", ["b", "a"]),
])
@awaiting
async def test_filters(api: Any, query: str, expected: list[str]) -> None:
    for name, fields in (("a", {"os_distro": "x"}), ("b", {"tags": ["t"], "visibility": "private"})):
        api.cloud.clock.advance(1)
        await api.create(name=name, **fields)
    status, body, _ = await api.ask("GET", f"/v2/images?{query}")
    assert (status, [image["name"] for image in body["images"]]) == (200, expected)


@pytest.mark.parametrize("query", [
    "limit=x", "limit=-1", "marker=x", f"marker={'0' * 32}", "sort_key=mood", "sort=name:up", "sort=name&sort_key=id",
    "visibility=secret", "protected=maybe", "size_max=big", "created_at=gt:tomorrow", "member_status=x",
    "sort_key=id&sort_dir=asc&sort_dir=asc"])
@awaiting
async def test_arguments_that_mean_nothing(api: Any, query: str) -> None:
    status, body, _ = await api.ask("GET", f"/v2/images?{query}")
    assert status == 400 and body["message"]


@awaiting
async def test_patch(api: Any) -> None:
    image = await api.create(old="1", keep="2")
    status, changed = await api.patch(
        image, {"op": "replace", "path": "/name", "value": "new"}, {"op": "add", "path": "/a~1b", "value": "slash"},
        {"op": "remove", "path": "/old"}, {"op": "replace", "path": "/keep", "value": "3"},
        {"op": "replace", "path": "/tags", "value": ["t"]}, {"op": "add", "path": "/os_hidden", "value": True},
        {"op": "replace", "path": "/disk_format", "value": "qcow2"})
    assert status == 200
    assert (changed["name"], changed["a/b"], changed["keep"], changed["tags"]) == ("new", "slash", "3", ["t"])
    assert changed["os_hidden"] is True and changed["disk_format"] == "qcow2" and "old" not in changed
    assert (await api.ask("GET", image["self"]))[1] == changed


@awaiting
async def test_the_older_form_of_a_patch(api: Any) -> None:
    image = await api.create(old="1")
    status, changed, _ = await api.ask("PATCH", image["self"], data=json.dumps([
        {"replace": "/name", "value": "new"}, {"remove": "/old"}]).encode(), headers={
            "Content-Type": "application/openstack-images-v2.0-json-patch"})
    assert status == 200 and changed["name"] == "new" and "old" not in changed


@pytest.mark.parametrize(("step", "status"), [
    ({"op": "replace", "path": "/status", "value": "active"}, 403),
    ({"op": "replace", "path": "/id", "value": "x"}, 403),
    ({"op": "remove", "path": "/name"}, 403),
    ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
    ({"op": "replace", "path": "/visibility", "value": "odd"}, 400),
    ({"op": "replace", "path": "/owner", "value": BLUE}, 403),
    ({"op": "replace", "path": "/owner", "value": None}, 400),
    ({"op": "remove", "path": "/unknown"}, 409),
    ({"op": "replace", "path": "/unknown", "value": "x"}, 409),
    ({"op": "add", "path": "/number", "value": 7}, 400),
    ({"op": "test", "path": "/name", "value": "x"}, 400),
    ({"op": "add", "path": "name", "value": "x"}, 400),
    ({"op": "add", "path": "/locations/-", "value": "x"}, 400),
    ({"op": "add", "path": "/name"}, 400),
])
@awaiting
async def test_a_patch_is_done_whole_or_not_at_all(api: Any, step: dict[str, Any], status: int) -> None:
    image = await api.create()
    assert (await api.patch(image, {"op": "replace", "path": "/name", "value": "new"}, step))[0] == status
    assert (await api.ask("GET", image["self"]))[1] == image


@awaiting
async def test_a_patch_needs_its_media_type(api: Any) -> None:
    image = await api.create()
    status, body, _ = await api.ask("PATCH", image["self"], json=[])
    assert status == 415 and "openstack-images-v2.1-json-patch" in body["message"]


@awaiting
async def test_formats_are_fixed_once_there_are_bytes(api: Any) -> None:
    image = await api.create()
    assert (await api.upload(image, b"x"))[0] == 204
    status, body = await api.patch(image, {"op": "replace", "path": "/disk_format", "value": "qcow2"})
    assert status == 403 and "queued" in body["message"]


@awaiting
async def test_tags(api: Any) -> None:
    image = await api.create()
    for _ in range(2):
        assert (await api.ask("PUT", f"{image['self']}/tags/one"))[0] == 204
    assert (await api.ask("GET", image["self"]))[1]["tags"] == ["one"]
    assert (await api.ask("DELETE", f"{image['self']}/tags/one"))[0] == 204
    assert (await api.ask("DELETE", f"{image['self']}/tags/one"))[0] == 404
    assert (await api.ask("PUT", f"{image['self']}/tags/{'t' * 256}"))[0] == 400


@awaiting
async def test_members(api: Any) -> None:
    image = await api.create()
    path = f"{image['self']}/members"
    status, member, _ = await api.ask("POST", path, json={"member": BLUE})
    assert (status, member["member_id"], member["status"]) == (200, BLUE, "pending")
    assert (await api.ask("POST", path, json={"member": BLUE}))[0] == 409
    assert (await api.ask("GET", f"{path}/{BLUE}", "bob"))[0] == 200
    assert (await api.ask("PUT", f"{path}/{BLUE}", "bob", json={"status": "well"}))[0] == 400
    assert (await api.ask("PUT", f"{path}/{BLUE}", "bob", json={"status": "accepted"}))[1]["status"] == "accepted"
    assert [each["id"] for each in (await api.ask("GET", "/v2/images", "bob"))[1]["images"]] == [image["id"]]
    assert [each["member_id"] for each in (await api.ask("GET", path))[1]["members"]] == [BLUE]
    assert (await api.ask("DELETE", f"{path}/{BLUE}"))[0] == 204
    assert (await api.ask("GET", image["self"], "bob"))[0] == 404


@awaiting
async def test_deactivated_images_are_not_downloaded(api: Any) -> None:
    image = await api.create()
    await api.upload(image, b"x")
    assert (await api.ask("POST", f"{image['self']}/actions/deactivate"))[0] == 204
    assert (await api.ask("GET", image["self"]))[1]["status"] == "deactivated"
    assert (await api.ask("GET", image["file"]))[0] == 403
    assert (await api.ask("POST", f"{image['self']}/actions/reactivate"))[0] == 204
    assert (await api.ask("GET", image["file"]))[:2] == (200, b"x")


@awaiting
async def test_what_is_offered_is_told_honestly(api: Any) -> None:
    assert (await api.ask("GET", "/v2/info/import"))[1]["import-methods"]["value"] == []
    assert (await api.ask("GET", "/v2/info/stores"))[1] == {"stores": [{"id": "default", "default": "true"}]}
    for name in ("image", "images", "member", "members", "task", "tasks"):
        assert (await api.ask("GET", f"/v2/schemas/{name}"))[1]["name"] == name
    assert (await api.ask("GET", "/v2/schemas/cat"))[0] == 404
