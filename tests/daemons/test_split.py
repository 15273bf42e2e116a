"""Every daemon as a twistd service of its own: it starts from a configuration file, serves, and stops cleanly."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
import treq
from twisted.application.service import IServiceMaker
from twisted.internet.defer import maybeDeferred
from twisted.plugin import getPlugins

from stackd import errors
from stackd.daemons.bootstrapping import make_secrets
from stackd.testing.ports import free_base

NAMES = ("stack-api", "stack-compute", "stack-conductor", "stack-image", "stack-network", "stack-registry",
         "stack-scheduler")


def http_images(base: int) -> str:
    """Keys of an image service that speaks HTTP."""
    url = f"http://127.0.0.1:{base + 1}"
    return f"""
driver = "http"
url = "{url}/image"
auth_url = "{url}/identity/v3"
user = "admin"
password = "secret"
project = "admin"
"""


def configuration(folder: Path, base: int, host: bool = False) -> Path:
    """A configuration file whose every path is in the folder."""
    path = folder / "stackd.toml"
    path.write_text(f"""
[cloud]
state = "{folder}"
[database]
url = "sqlite:///{folder}/stackd.db"
[api]
port_base = {base}
[image]
folder = "{folder}/images"
{http_images(base) if host else ""}
[hosts]
name = "one"
""")
    return path


def test_the_plugins_are_these_daemons_and_the_cloud() -> None:
    makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker) if maker.tapname.startswith("stack-")}
    assert set(makers) == {*NAMES, "stack-cloud"}


@pytest.mark.parametrize("name", NAMES)
@pytest_twisted.ensureDeferred
async def test_a_daemon_starts_and_stops(name: str, tmp_path: Path) -> None:
    base = free_base()
    module = importlib.import_module(f"stackd.daemons.{name.removeprefix('stack-')}")
    options = module.Options()
    host = name in ("stack-compute", "stack-network")
    options.parseOptions(["--config", str(configuration(tmp_path, base, host))])
    make_secrets(tmp_path)
    service = module.makeService(options)
    service.startService()
    try:
        if name in ("stack-api", "stack-image"):
            response = await treq.get(f"http://127.0.0.1:{base + 1}/healthz", persistent=False, timeout=20)
            assert response.code == 200
            await response.content()
        assert service.running
    finally:
        await maybeDeferred(service.stopService)
    assert not service.running


@pytest.mark.parametrize(("name", "missing"), [
    ("api", "identity.keys"), ("api", "metadata.secret"), ("registry", "identity.keys")])
def test_what_all_must_share_is_not_made_by_each(name: str, missing: str, tmp_path: Path) -> None:
    """With keys of its own it would refuse the tokens of the others."""
    make_secrets(tmp_path)
    (tmp_path / missing).unlink()
    module = importlib.import_module(f"stackd.daemons.{name}")
    options = module.Options()
    options.parseOptions(["--config", str(configuration(tmp_path, free_base()))])
    with pytest.raises(errors.BadConfiguration, match=f"{missing} is not there. Copy it from"):
        module.makeService(options).startService()
    assert not (tmp_path / missing).exists()


def test_a_host_has_no_database(tmp_path: Path) -> None:
    from stackd.daemons import compute

    options = compute.Options()
    options.parseOptions(["--config", str(configuration(tmp_path, free_base()))])
    with pytest.raises(errors.BadConfiguration, match="no database"):
        compute.makeService(options).startService()
    assert not (tmp_path / "stackd.db").exists()


def test_a_wrong_configuration_is_told_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[bus]\ndriver = 3\n")
    module = importlib.import_module("stackd.daemons.scheduler")
    options = module.Options()
    options.parseOptions(["--config", str(path)])
    with pytest.raises(SystemExit, match=r"stackd: .*wrong\.toml has 1 errors:\s+bus\.driver"):
        module.makeService(options)


def test_the_daemons_of_hosts_load_nothing_of_a_database() -> None:
    """Thousands of hosts would carry it for nothing."""
    words = "import sys, stackd.daemons.compute, stackd.daemons.network; print([n for n in sys.modules if n in %r])"
    found = subprocess.run([sys.executable, "-c", words % (("sqlalchemy", "alembic", "argon2", "klein"),)], timeout=60,
                           check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
