"""``stackd host``: what it prints, what it asks of the cloud, and what it says when something is missing."""

import json
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stackd import errors
from stackd.cli import brokering, host
from stackd.cli.main import main
from stackd.config.loading import load

BUS = '[bus]\ndriver = "amqp"\nurls = ["amqps://stackd:hush@b1/cloud", "amqps://stackd:hush@b2:5672/cloud"]\n'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str, dict[str, Any]]]:
    """What was asked of the running cloud, with its folder."""
    found: list[tuple[Path, str, dict[str, Any]]] = []

    def ask(state: Path, command: str, body: dict[str, Any]) -> str:
        found.append((state, command, body))
        return "done"

    monkeypatch.setattr(host, "ask", ask)
    return found


def config(folder: Path, text: str = BUS) -> str:
    """A file with this configuration of stack-api."""
    path = folder / "api.toml"
    path.write_text(text + f"[cloud]\nstate = '{folder}/state'\n")
    return str(path)


def test_a_host_gets_what_it_may_know(tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    text = BUS + '[database]\nurl = "postgresql://stackd:dbsecret@db/stackd"\n'
    assert main(["host", "add", "web-1", "--config", config(tmp_path, text)]) == 0
    out, commands = capsys.readouterr()
    assert "hush" not in out and "dbsecret" not in out and "[database]" not in out
    made = load(out)
    assert made.hosts.name == "web-1" and made.bus.trusted_users == ("stackd",)
    assert [url.split("@")[1] for url in made.bus.urls] == ["b1/cloud", "b2:5672/cloud"]
    assert all(url.startswith("amqps://stackd-host-web-1:") for url in made.bus.urls)
    assert made.image.url == "http://127.0.0.1:8774/image"
    assert made.image.auth_url == "http://127.0.0.1:8774/identity/v3"
    assert asked == [(tmp_path / "state", "host-add",
                      {"name": "web-1", "at_broker": False, "password": made.image.password})]
    secret = made.bus.urls[0].split(":")[2].split("@")[0]
    assert secret not in commands and made.image.password not in commands
    assert "rabbitmqctl set_operator_policy --vhost cloud" in commands
    definitions = json.loads(commands.split("<<'END'\n")[1].split("\nEND")[0])
    assert definitions["permissions"][0]["vhost"] == "cloud"


def test_every_time_other_passwords(tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    outs = []
    for action in ("add", "password"):
        assert main(["host", action, "web-1", "--config", config(tmp_path)]) == 0
        outs.append(load(capsys.readouterr().out))
    assert outs[0].bus.urls != outs[1].bus.urls and outs[0].image.password != outs[1].image.password


def test_a_foreign_image_service_is_named_as_it_is(tmp_path: Path, asked: list[Any],
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "web-1", "--zone", "z2", "--config", config(tmp_path, BUS + FOREIGN)]) == 0
    made = load(capsys.readouterr().out)
    assert (made.image.url, made.image.auth_url) == ("https://glance:9292", "https://keystone:5000/v3")
    assert made.cloud.zones == ("z2",)


FOREIGN = '[image]\ndriver = "http"\nurl = "https://glance:9292"\nauth_url = "https://keystone:5000/v3"\n'
OWN = '[image]\ndriver = "http"\nurl = "https://api:8774/image"\nauth_url = "https://api:8774/identity/v3"\n' \
      '[api]\npublic_host = "api"\n'


def test_users_of_a_foreign_image_service_are_still_to_be_made(tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "web-1", "--config", config(tmp_path, BUS + FOREIGN)]) == 0
    out, words = capsys.readouterr()
    assert load(out).image.user == "stackd-host-web-1"
    assert "openstack role add --user stackd-host-web-1 --project service image-reader" in words


@pytest.mark.parametrize("text", ["", OWN])
def test_without_the_cloud_that_makes_its_user_a_host_gets_nothing(text: str, tmp_path: Path,
                                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "web-1", "--config", config(tmp_path, BUS + text)]) == 1
    out, words = capsys.readouterr()
    assert not out and "or stack-api" in words and "rabbitmqctl" not in words


@pytest.mark.parametrize("action", ["add", "password"])
def test_passwords_are_written_for_their_owner_alone(action: str, tmp_path: Path, asked: list[Any],
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web-1.toml"
    file.write_text("of before")
    assert main(["host", action, "web-1", "--config", config(tmp_path), "--output", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = load(file.read_text())
    assert made.hosts.name == "web-1" and made.image.password == asked[-1][2]["password"]
    assert made.image.password not in "".join(capsys.readouterr())


def test_what_fails_leaves_the_file_of_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web-1.toml"
    file.write_text("of before")
    assert main(["host", "password", "web-1", "--config", config(tmp_path), "--output", str(file)]) == 1
    assert "No cloud answers" in capsys.readouterr().err
    assert file.read_text() == "of before" and {path.name for path in tmp_path.iterdir()} == {"api.toml", "web-1.toml"}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_made(tmp_path: Path, asked: list[Any],
                                                                       capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nowhere/web-1.toml"
    assert main(["host", "add", "web-1", "--config", config(tmp_path), "--output", str(file)]) == 1
    assert f"{file} cannot be written: No such file" in capsys.readouterr().err and not asked


@pytest.mark.parametrize("name", ["Web", "a b", "*", "web;reboot", "../x"])
def test_no_host_name(name: str, tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", name, "--config", config(tmp_path)]) == 1
    out, words = capsys.readouterr()
    assert "plain host name" in words and not out and not asked


def test_a_cloud_of_one_process_has_no_hosts_to_add(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "add", "web", "--config", config(tmp_path, "")]) == 1
    assert "no broker" in capsys.readouterr().err


def test_a_host_in_use_keeps_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    def ask(state: Path, command: str, body: dict[str, Any]) -> str:
        if not body["force"]:
            raise errors.InUse("host", "web", "3 instances")
        return "removed"

    monkeypatch.setattr(host, "ask", ask)
    assert main(["host", "remove", "web", "--config", config(tmp_path)]) == 1
    assert "3 instances" in (words := capsys.readouterr().err) and "rabbitmqctl" not in words
    assert main(["host", "remove", "web", "--force", "--config", config(tmp_path)]) == 0
    assert "rabbitmqctl delete_user stackd-host-web" in capsys.readouterr().err


def test_a_management_api_that_is_not_there(tmp_path: Path, asked: list[Any],
                                            capsys: pytest.CaptureFixture[str]) -> None:
    text = BUS + 'management = "http://u:topsecret@127.0.0.1:1"\n'
    assert main(["host", "password", "web", "--config", config(tmp_path, text)]) == 1
    out, words = capsys.readouterr()
    assert "does not answer" in words and "rabbitmq_management" in words and "topsecret" not in words and not out
    assert not asked, "nothing was changed yet"


class Users(BaseHTTPRequestHandler):
    """A management API whose broker has one user."""

    def do_GET(self) -> None:
        """Whether it is this one."""
        self._answer(200 if self.path == "/api/users/stackd-host-web" else 404)

    def do_DELETE(self) -> None:
        """Likewise."""
        self._answer(204 if self.path.endswith("/stackd-host-web") else 404)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def management() -> Iterator[str]:
    """The key of a management API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Users) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f'management = "http://u:p@127.0.0.1:{server.server_port}"\n'
        server.shutdown()
        thread.join()


def test_the_cloud_is_told_whether_the_broker_has_the_host(management: str, tmp_path: Path, asked: list[Any]) -> None:
    for name in ("web", "wbe"):
        assert main(["host", "remove", name, "--config", config(tmp_path, BUS + management)]) == 0
    assert [body for _, _, body in asked] == [{"name": "web", "at_broker": True, "force": False},
                                              {"name": "wbe", "at_broker": False, "force": False}]


def test_a_management_url_is_taken_apart() -> None:
    made = brokering.Management("https://us%40er:p%3Aw@rabbit.example/x/api/", brokering.Place(vhost="/", prefix="s"))
    assert made._root == "https://rabbit.example/x/api"
    assert made._headers["Authorization"] == "Basic dXNAZXI6cDp3"
