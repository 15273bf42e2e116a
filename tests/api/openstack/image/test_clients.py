"""The stock clients, openstacksdk and the ``openstack`` command, against the listening image API."""

import json
import sys
from pathlib import Path
from typing import Any

import openstack
import pytest_twisted
from openstack.exceptions import BadRequestException
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

awaiting = pytest_twisted.ensureDeferred


def through_the_sdk(url: str, folder: Path) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    cloud = openstack.connection.Connection(
        auth_type="admin_token", auth={"endpoint": url, "token": "alice"}, image_endpoint_override=url)
    images = cloud.image
    (folder / "disk").write_bytes(b"\0" * 3_000_000 + b"end")
    made = images.create_image("mine", filename=str(folder / "disk"), disk_format="raw", container_format="bare",
                               wait=True, validate_checksum=True, tags=["one"], os_distro="debian")
    seen["found"] = images.find_image("mine").id == made.id
    shown = images.get_image(made.id)
    seen["shown"] = (shown.status, shown.size, shown.os_distro, shown.tags)
    images.download_image(shown, output=str(folder / "again"), stream=True)
    images.update_image(shown, name="renamed", mood="good")
    seen["listed"] = [(image.name, image.properties["mood"]) for image in images.images(name="renamed")]
    try:
        images.create_image("bad", data=b"no disk at all" * 1000, disk_format="qcow2", container_format="bare")
    except BadRequestException as error:
        seen["refused"] = str(error)
    images.delete_image(made.id)
    seen["left"] = [image.name for image in images.images()]
    cloud.close()
    return seen


@awaiting
async def test_openstacksdk(api: Any, tmp_path: Path) -> None:
    seen = await deferToThread(through_the_sdk, api.url, tmp_path)
    assert seen["found"]
    assert seen["shown"] == ("active", 3_000_003, "debian", ["one"])
    assert (tmp_path / "again").read_bytes() == (tmp_path / "disk").read_bytes()
    assert seen["listed"] == [("renamed", "good")]
    assert "disk_format" in seen["refused"]
    assert seen["left"] == []


@awaiting
async def test_openstack_command(api: Any, tmp_path: Path) -> None:
    async def run(*words: str) -> Any:
        out, err, code = await getProcessOutputAndValue(sys.executable, [
            "-m", "openstackclient.shell", "--os-auth-type", "admin_token", "--os-endpoint", api.url,
            "--os-token", "alice", *words], env={"HOME": str(tmp_path), "OS_IMAGE_ENDPOINT_OVERRIDE": api.url})
        assert code == 0, err.decode()
        return json.loads(out) if "json" in words else out

    (tmp_path / "disk").write_bytes(b"\0" * 100_000 + b"end")
    made = await run("image", "create", "--file", str(tmp_path / "disk"), "--disk-format", "raw", "--tag", "t",
                     "--property", "os_distro=debian", "-f", "json", "mine")
    assert (made["status"], made["size"], made["tags"]) == ("active", 100_003, ["t"])
    assert [each["Name"] for each in await run("image", "list", "-f", "json")] == ["mine"]
    await run("image", "set", "--name", "renamed", "--property", "a=b", "mine")
    assert (await run("image", "show", "-f", "json", "renamed"))["properties"]["a"] == "b"
    await run("image", "save", "--file", str(tmp_path / "again"), "renamed")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "disk").read_bytes()
    await run("image", "delete", "renamed")
    assert await run("image", "list", "-f", "json") == []
