"""The samples of the daemons and their systemd units say what the code says."""

import configparser
import re
import shlex
from pathlib import Path

import attrs
import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.reflect import namedAny

from stackd.config.loading import load
from stackd.config.sample import ALL_READ, DAEMONS, render_daemon, samples
from stackd.config.sections import Config
from stackd.drivers.networks.linuxbridge import commands

CONF = Path(__file__).parents[2] / "conf"
HOSTS = ("compute", "network")
SLOW_IMAGE = 600.0
MOUNTING = ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectProc", "ProtectKernelTunables",
            "ProtectKernelModules", "ProtectControlGroups", "ReadWritePaths", "LoadCredential", "PrivateMounts")


class Unit(dict[str, list[str]]):
    """The directives of one section of a unit, each with its values in order."""

    def __init__(self, name: str, section: str = "Service") -> None:
        """Of ``conf/systemd/stack-NAME.service``."""
        super().__init__()
        parser = configparser.RawConfigParser(strict=False, dict_type=_Gathering, delimiters=("=",),
                                              comment_prefixes=("#",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string((CONF / f"systemd/stack-{name}.service").read_text())
        for key, value in parser.items(section):
            self[key] = value.split("\n")


class _Gathering(dict):  # type: ignore[type-arg]
    """Keeps all values of a key that comes several times, as systemd does."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def plugins() -> dict[str, IServiceMaker]:
    """The daemons ``twistd`` knows."""
    return {maker.tapname: maker for maker in getPlugins(IServiceMaker) if maker.tapname.startswith("stack-")}


@pytest.mark.parametrize("name", samples())
def test_the_samples_are_up_to_date(name: str) -> None:
    """Write them anew with ``python -m stackd.config.sample all conf``."""
    assert (CONF / name).read_text() == samples()[name]


def test_every_daemon_has_a_sample_and_a_unit() -> None:
    names = {name.removeprefix("stack-") for name in plugins()} - {"cloud"}
    assert set(DAEMONS) == names
    assert {path.stem for path in (CONF / "systemd").glob("*.service")} == {f"stack-{name}" for name in names}


@pytest.mark.parametrize("name", DAEMONS)
def test_a_sample_is_a_configuration_that_differs_where_it_says(name: str) -> None:
    text = render_daemon(name)
    config = load(text)
    assert config.bus.driver == "amqp" and config.monitor.port
    assert load(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE)) == config
    untouched = {field.name for field in attrs.fields(Config)} - {*DAEMONS[name].sections, *ALL_READ}
    assert all(getattr(config, each) == getattr(Config(), each) for each in untouched)


def test_a_host_knows_no_database() -> None:
    for name in HOSTS:
        text = render_daemon(name)
        assert "[database]" not in text and "[identity]" not in text and "stackd:PASSWORD" not in text


def test_the_ports_of_daemons_on_one_machine_differ() -> None:
    ports = [load(render_daemon(name)).monitor.port for name in DAEMONS]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("name", DAEMONS)
def test_a_unit_starts_its_daemon(name: str) -> None:
    words = shlex.split(Unit(name)["ExecStart"][0])
    assert words[0].endswith("/bin/twistd")
    assert {"--nodaemon", "--pidfile="} <= set(words), "systemd looks after the process"
    observer = namedAny(words[words.index("--logger") + 1])
    assert callable(observer)
    daemon = words.index(f"stack-{name}")
    options = plugins()[f"stack-{name}"].options()
    options.parseOptions(words[daemon + 1:])
    assert options["config"].endswith(".toml")
    if name in HOSTS:  # which share one file
        assert options["monitor"] == load(render_daemon(name)).monitor.port


@pytest.mark.parametrize("name", DAEMONS)
def test_a_unit_is_restarted_and_given_time_to_end(name: str) -> None:
    unit, config = Unit(name), load(render_daemon(name))
    assert unit["Restart"] == ["always"] and Unit(name, "Unit")["StartLimitIntervalSec"] == ["0"]
    limit = {"api": config.api.stop_within, "image": config.api.stop_within, "compute": SLOW_IMAGE,
             "network": commands.TIMEOUT}.get(name, 30.0)
    assert float(unit["TimeoutStopSec"][0]) >= limit + 20


@pytest.mark.parametrize("name", [name for name in DAEMONS if name not in HOSTS])
def test_the_control_plane_has_no_privileges(name: str) -> None:
    unit, api = Unit(name), Unit("api")
    assert unit["User"] == [f"stackd-{name}"]
    assert f"u stackd-{name} " in (CONF / "systemd/stackd.sysusers").read_text()
    assert unit["LoadCredential"] == [f"stackd.toml:/etc/stackd/{name}.toml"]
    assert unit["NoNewPrivileges"] == ["yes"] and unit["CapabilityBoundingSet"] == [""]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    own = ("User", "Group", "LoadCredential", "ExecStart", "StateDirectory", "WorkingDirectory")
    assert {key: unit[key] for key in unit if key not in own} == {key: api[key] for key in api if key not in own}
    state = unit["StateDirectory"][0]
    assert load(render_daemon(name)).cloud.state == f"/var/lib/{state}"


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_s_daemons_leave_what_runs_and_see_one_file_system(name: str) -> None:
    unit = Unit(name)
    assert unit["KillMode"] == ["process"], "guests and DHCP outlive the daemon"
    assert not set(MOUNTING) & set(unit)
    capabilities = unit["CapabilityBoundingSet"][0].split()
    assert "CAP_NET_ADMIN" in capabilities and not {"CAP_SYS_MODULE", "CAP_SYS_BOOT"} & set(capabilities)
    assert any("@module" in each and each.startswith("~") for each in unit["SystemCallFilter"])
    assert load(render_daemon(name)).cloud.state == f"/var/lib/{unit['StateDirectory'][0]}"


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_s_daemons_find_loaded_what_they_may_not_load(name: str) -> None:
    unit = Unit(name, "Unit")
    for directive in ("Wants", "After"):
        assert "modprobe@br_netfilter.service" in unit[directive][0].split()
