"""What an operator meets who writes a configuration."""

from pathlib import Path

import pytest

from stackd.config.loading import load, load_file
from stackd.config.sections import Config
from stackd.errors import BadConfiguration


def complaints(text: str) -> list[str]:
    """The lines of the error this configuration gives."""
    with pytest.raises(BadConfiguration) as caught:
        load(text)
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


def test_an_empty_file_is_the_default() -> None:
    """Every key has a default."""
    assert load("") == Config()


def test_values_are_taken() -> None:
    """Each type once, a section of records from the model too."""
    config = load("""
        [cloud]
        region = "here"
        zones = ["a", "b"]
        [identity]
        token_lifetime = 90
        [quotas]
        instances = -1
        [api]
        port_base = 18773
    """)
    assert (config.cloud.region, config.cloud.zones) == ("here", ("a", "b"))
    assert (config.identity.token_lifetime, config.quotas.instances, config.api.port_base) == (90, -1, 18773)
    assert config.cloud.external_cidr == Config().cloud.external_cidr


def test_all_errors_are_told_at_once() -> None:
    """One line each, with the path of the key."""
    found = complaints("""
        database = 1
        [cloud]
        regoin = "x"
        zones = []
        external_cidr = "203.0.113.0/40"
        [api]
        port_base = "8773"
    """)
    assert [line.split(" ")[0].rstrip(":") for line in found] == [
        "cloud.regoin", "cloud.zones", "cloud.external_cidr", "database", "api.port_base"]


@pytest.mark.parametrize(("text", "words"), [
    ("[cloud]\nregoin = 'x'", "cloud.regoin: unknown; did you mean region?"),
    ("[clouds]", "clouds: unknown; did you mean cloud?"),
    ("[bus]\nzzz = 1", "bus.zzz: unknown; known: driver, urls, ca_file, prefix, heartbeat, trusted_users, "
     "management"),
    ("[cloud]\nzones = 'a'", "cloud.zones = 'a': must be a list of texts in quotes"),
    ("[cloud]\nzones = ['a', 'a']", "cloud.zones = ['a', 'a']: must be one or more words, each once"),
    ("[api]\nport_base = 65534", "api.port_base = 65534: must be a number from 1 to 65533"),
    ("[api]\nport_base = true", "api.port_base = True: must be a whole number"),
    ("[api]\nport_base = 1.5", "api.port_base = 1.5: must be a whole number"),
    ("[api]\nhost = 'localhost'", "api.host = 'localhost': must be an IP address"),
    ("[quotas]\ncores = -2", "quotas.cores = -2: must be -1 or more"),
    ("[network]\nvlan_ranges = ['a:100:99']", "network.vlan_ranges = ['a:100:99']: must be NAME:FIRST:LAST or NAME, "
     "each name once ('a:100:99' is no range within 1 to 4094)"),
    ("[network]\nphysical_networks = ['a:eth1', 'b:eth1']", "network.physical_networks = ['a:eth1', 'b:eth1']: must be "
     "NAME:INTERFACE, each once ('b:eth1' is none, or says again what another one says)"),
    ("[compute]\nvirt_type = 'xen'", "compute.virt_type = 'xen': must be one of auto, kvm, qemu"),
    ("[database]\nurl = 'stackd.db'",
     "database.url = ***: must be a URL such as sqlite:////var/lib/stackd/stackd.db"),
    ("[bus]\nurls = ['stackd:hush@mq:5672']",
     "bus.urls = ***: must be one or more URLs such as amqp://USER:PASSWORD@HOST:5672/"),
])
def test_an_error_says_what_is_allowed(text: str, words: str) -> None:
    """The key, the value unless it is a secret, and what it must be."""
    assert complaints(text) == [words]


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    """The file and the line are named."""
    path = tmp_path / "stackd.toml"
    path.write_text("[cloud\nzones = 1\n")
    with pytest.raises(BadConfiguration, match=r"stackd\.toml is no TOML: .*line 1"):
        load_file(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The remedy names the sample."""
    with pytest.raises(BadConfiguration, match=r"cannot be read: No such file.*stackd\.toml\.sample"):
        load_file(tmp_path / "none.toml")
