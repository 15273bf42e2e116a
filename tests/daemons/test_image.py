"""``stack-image`` and ``stack-registry`` together, joined by a bus alone: one has the bytes, the other the database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
import treq
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from stackd.bus.memory import MemoryBus
from stackd.config.loading import load_file
from stackd.daemons.bootstrapping import make_secrets
from stackd.daemons.endpoints import image_services
from stackd.daemons.image import ImageParts
from stackd.daemons.parts import Parts
from stackd.daemons.registry import registry_service
from stackd.daemons.split import DaemonService
from stackd.model.identities import Login, UserLogin
from stackd.testing.ports import free_base

CONFIGURATION = """
[cloud]
state = "{folder}"
[database]
url = "{database}"
[api]
port_base = {base}
[image]
folder = "{folder}/images"
[identity]
password_cost = "cheap"
"""


class Both:
    """The two daemons, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.base = free_base()
        database = f"sqlite:///{folder}/stackd.db"
        self.registry_parts = Parts(reactor, self._config(folder / "registry", database))
        # Asking for this database would fail: there is no such folder.
        self.image_parts = ImageParts(reactor, self._config(folder / "image", "sqlite:////nonexistent/stackd.db"))
        self.registry_parts.bus = self.image_parts.bus = MemoryBus(reactor)
        self.registry = DaemonService(self.registry_parts, registry_service)
        self.image = DaemonService(self.image_parts, image_services)

    def _config(self, folder: Path, database: str) -> Any:
        make_secrets(folder)
        path = folder / "stackd.toml"
        path.write_text(CONFIGURATION.format(folder=folder, base=self.base, database=database))
        return load_file(path)

    async def token(self) -> str:
        """Of the administrator."""
        await self.registry_parts.identity.bootstrap("admin-secret", "demo-secret")
        return (await self.registry_parts.identity.authenticate(
            Login(user=UserLogin(name="admin"), password="admin-secret"))).text

    async def ask(self, method: str, path: str, token: str, **options: Any) -> tuple[int, Any]:
        """Status and body."""
        headers = {"X-Auth-Token": token, **options.pop("headers", {})}
        response = await treq.request(method, f"http://127.0.0.1:{self.base + 1}/image{path}", headers=headers,
                                      persistent=False, timeout=20, **options)
        kind = response.headers.getRawHeaders("content-type", [""])[0]
        return response.code, await (response.json() if kind == "application/json" else response.content())


@pytest_twisted.async_yield_fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    running = Both(tmp_path)
    running.registry.startService()
    running.image.startService()
    yield running
    await maybeDeferred(running.image.stopService)
    if running.registry.running:
        await maybeDeferred(running.registry.stopService)


@pytest_twisted.ensureDeferred
async def test_images_live_in_two_daemons_of_which_one_has_a_database(both: Both) -> None:
    token = await both.token()
    status, made = await both.ask("POST", "/v2/images", token, json={
        "name": "x", "disk_format": "raw", "container_format": "bare"})
    assert status == 201
    octets = {"Content-Type": "application/octet-stream"}
    assert (await both.ask("PUT", made["file"], token, data=b"the bytes" * 100_000, headers=octets))[0] == 204
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    status, changed = await both.ask("PATCH", made["self"], token, headers=patch,
                                     data=b'[{"op": "add", "path": "/os_distro", "value": "debian"}]')
    assert (status, changed["status"], changed["os_distro"]) == (200, "active", "debian")
    assert await both.ask("GET", made["file"], token) == (200, b"the bytes" * 100_000)
    assert (await both.ask("GET", "/v2/images", token))[1]["images"] == [changed]
    assert "database" not in vars(both.image_parts)
    assert not (Path(both.registry_parts.config.image.folder)).exists()


@pytest_twisted.ensureDeferred
async def test_wrong_tokens_are_refused(both: Both) -> None:
    assert (await both.ask("GET", "/v2/images", "wrong"))[0] == 401


@pytest_twisted.ensureDeferred
async def test_while_the_registry_is_away_users_are_told(both: Both) -> None:
    token = await both.token()
    await maybeDeferred(both.registry.stopService)
    status, body = await both.ask("GET", "/v2/images", token)
    assert status == 503
    assert "The registry of the image service does not answer." in body["message"]
