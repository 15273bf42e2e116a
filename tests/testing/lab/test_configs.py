"""The configurations of a site's daemons, and what a host must not know."""

from pathlib import Path

import pytest

from stackd.config.loading import load_file
from stackd.config.sections import Config
from stackd.testing.lab.configs import Configs, ControlFacts, HostFacts, ImageUser
from stackd.testing.lab.ground import HostGround
from stackd.testing.lab.options import REAL, SiteOptions

OPTIONS = SiteOptions(hosts=1, apis=2, drivers=REAL, settings={"hosts": {"heartbeat": 2.5}, "quotas": {"cores": 7}})
SECRET = "only-the-control-plane-knows"
ADMIN = ImageUser(user="admin", project="admin", password=SECRET)


@pytest.fixture
def configs(tmp_path: Path) -> Configs:
    """All of them, written."""
    (tmp_path / "conf").mkdir()
    made = Configs(tmp_path, OPTIONS, {name: 9000 + 10 * index for index, name in enumerate(OPTIONS.names())}, "boss",
                   "203.0.113.0/24")
    control = ControlFacts(
        database_url=f"postgresql://stackd:{SECRET}@10.0.0.1/stackd", broker_url=f"amqp://boss:{SECRET}@10.0.0.1:1/",
        listen="0.0.0.0", address="198.18.0.2", image_url="http://198.18.0.2:1/image",
        auth_url="http://198.18.0.2:2/identity/v3", image_user=ADMIN)
    for name in OPTIONS.controllers():
        made.write_control(name, control)
    made.write_host(HostFacts(
        name="host-1", index=1, broker_url="amqp://stackd-host-host-1:own@10.77.0.254:1/", auth_url=control.auth_url,
        image_url=control.image_url, image_user=ImageUser(user="stackd-host-host-1", project="service", password="own"),
        ground=HostGround(netns="labh1", public_link="up", tunnel_address="10.77.0.1")))
    return made


def loaded(configs: Configs, name: str) -> Config:
    """What the daemon of this name would load."""
    return load_file(configs.path(name))


def test_every_daemon_can_load_its_own(configs: Configs) -> None:
    for name in OPTIONS.names():
        config = loaded(configs, name)
        assert config.bus.driver == "amqp"
        assert (config.hosts.heartbeat, config.quotas.cores) == (2.5, 7)
        assert config.cloud.external_cidr == "203.0.113.0/24"


def test_a_host_knows_its_own_secrets_only(configs: Configs) -> None:
    for name in ("compute@host-1", "network@host-1"):
        assert SECRET not in configs.path(name).read_text()
        config = loaded(configs, name)
        assert config.database.url == Config().database.url
        assert config.bus.trusted_users == ("boss",)
        assert config.cloud.zones == ("us-east-1b", "us-east-1a")
        assert (config.network.netns, config.network.public_link) == ("labh1", "up")


def test_files_are_their_owners_alone(configs: Configs) -> None:
    assert {configs.path(name).stat().st_mode & 0o777 for name in OPTIONS.names()} == {0o600}


def test_daemons_that_may_meet_on_one_address_have_ports_of_their_own(configs: Configs) -> None:
    read = {name: loaded(configs, name) for name in OPTIONS.names()}
    ports = [config.api.port_base + 1 if name.startswith(("api", "image")) else config.monitor.port
             for name, config in read.items()]
    assert len(set(ports)) == len(ports) and 0 not in ports
    assert read["api-1"].cloud.state != read["api-2"].cloud.state
