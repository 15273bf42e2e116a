"""The network API under its real clients: the SDK and the ``openstack`` command, over a real socket."""

import os
import subprocess
import sys
import time
from pathlib import Path

import openstack
import pytest
from openstack.exceptions import BadRequestException, ConflictException, NotFoundException
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from stackd.api.openstack.identity.catalog import Catalog
from stackd.api.openstack.identity.service import IdentityService
from stackd.api.openstack.network.service import NetworkService
from stackd.testing.cloud import MemoryCloud

SCOPE = {"project_name": "demo", "username": "demo", "password": "demo-password", "user_domain_id": "default",
         "project_domain_id": "default", "region_name": "us-east-1"}


@async_yield_fixture
async def address():
    """Where the identity and the network API of a new cloud listen."""
    cloud = MemoryCloud()
    cloud.clock.rightNow = time.time()  # clients compare the token's end with their own time
    root = Resource()
    port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
    base = f"http://127.0.0.1:{port.getHost().port}"
    root.putChild(b"identity", IdentityService(cloud.identity, Catalog(base, "us-east-1")).resource())
    root.putChild(b"network", NetworkService(cloud.core).resource())
    yield f"{base}/identity/v3"
    await port.stopListening()


def sdk_journey(address):
    """What a program does; returns nothing, raises where the cloud is not as the SDK presumes."""
    cloud = openstack.connect(auth_url=address, **SCOPE)
    network = cloud.create_network("lan")
    subnet = cloud.create_subnet("lan", cidr="10.7.0.0/24", enable_dhcp=True)
    first, *_ = [cloud.network.create_port(network_id=network.id, name=f"p{index}") for index in range(5)]
    assert {port.name for port in cloud.network.ports(network_id=network.id, limit=2, sort_key="name")} == {
        "p0", "p1", "p2", "p3", "p4"}
    assert cloud.network.find_port("p0").fixed_ips == [{"subnet_id": subnet.id, "ip_address": "10.7.0.2"}]
    group = cloud.create_security_group("web", "pages")
    cloud.create_security_group_rule(group.id, 80, 81, "tcp", "0.0.0.0/0")
    with pytest.raises(ConflictException):
        cloud.network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp",
                                                 port_range_min=80, port_range_max=81, remote_ip_prefix="0.0.0.0/0")
    public = cloud.network.find_network("public")
    floating = cloud.network.create_ip(floating_network_id=public.id)
    assert cloud.network.update_ip(floating, port_id=first.id).fixed_ip_address == "10.7.0.2"
    with pytest.raises(ConflictException):
        cloud.network.delete_network(network.id)
    with pytest.raises(NotFoundException):
        cloud.network.get_network("no-such-network")
    with pytest.raises(BadRequestException):
        cloud.network.create_subnet(network_id=network.id, cidr="10.7.0.0/25", ip_version=4)
    cloud.network.delete_ip(floating)
    for port in list(cloud.network.ports(network_id=network.id)):
        cloud.network.delete_port(port)
    assert cloud.delete_security_group("web")
    assert cloud.delete_network("lan")
    assert cloud.network.get_quota(cloud.current_project_id, details=True).networks["used"] == 1


def command(address, *words):
    """What ``openstack`` prints."""
    environment = os.environ | {"OS_AUTH_URL": address} | {f"OS_{name.upper()}": value
                                                           for name, value in SCOPE.items()}
    program = str(Path(sys.executable).with_name("openstack"))
    return subprocess.run([program, *words], check=True, timeout=60, capture_output=True, text=True,
                          env=environment).stdout.strip()


def command_journey(address):
    """What a person types."""
    assert command(address, "network", "create", "lan", "-f", "value", "-c", "status") == "ACTIVE"
    assert command(address, "subnet", "create", "v6", "--network", "lan", "--ip-version", "6", "--subnet-range",
                   "2001:db8:5::/64", "--ipv6-ra-mode", "slaac", "--ipv6-address-mode", "slaac", "-f", "value",
                   "-c", "gateway_ip") == "2001:db8:5::1"
    assert "f816:3eff" in command(address, "port", "create", "p", "--network", "lan", "-f", "value", "-c",
                                  "fixed_ips")
    command(address, "port", "set", "p", "--no-security-group", "--disable-port-security")
    assert command(address, "availability", "zone", "list", "--network", "-f", "value", "-c", "Zone Name")
    command(address, "port", "delete", "p")
    command(address, "network", "delete", "lan")
    assert "lan" not in command(address, "network", "list", "-f", "value", "-c", "Name").split()


@pytest.mark.parametrize("journey", [sdk_journey, command_journey])
@ensureDeferred
async def test_a_journey_of_a_real_client(address, journey):
    await deferToThread(journey, address)
