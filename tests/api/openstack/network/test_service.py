"""The network API as its clients see it: resources, lists, errors."""

import uuid

import pytest
from pytest_twisted import ensureDeferred

NOWHERE = str(uuid.UUID(int=7))


async def default_network(neutron, who="demo"):
    """The default network of a tenancy."""
    found = await neutron.list("/networks?name=default&shared=False", "networks", who)
    project = getattr(neutron.made, who).project.id
    return next(network for network in found if network["project_id"] == project)


@ensureDeferred
async def test_versions_need_no_token(neutron):
    versions = await neutron.ask("GET", "", who="")
    assert versions.body["version"]["id"] == "v2.0"
    assert "router" not in {one["alias"] for one in await neutron.list("/extensions", "extensions")}
    assert (await neutron.ask("GET", "/networks", who="")).status == 401


@ensureDeferred
async def test_a_network_journey(neutron):
    network = await neutron.make("/networks", "network", name="lan", admin_state_up=True)
    assert network["tenant_id"] == network["project_id"] == neutron.made.demo.project.id
    assert network["created_at"].endswith("Z")
    subnet = await neutron.make("/subnets", "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4,
                                dns_nameservers=["9.9.9.9"], gateway_ip=None)
    assert (subnet["gateway_ip"], subnet["allocation_pools"]) == (None, [{"start": "10.0.0.1", "end": "10.0.0.254"}])
    port = await neutron.make("/ports", "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.77"}])
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.77"}]
    refused = await neutron.ask("DELETE", f"/networks/{network['id']}")
    assert (refused.status, refused.body["NeutronError"]["type"]) == (409, "NetworkInUse")
    for path in (f"/ports/{port['id']}", f"/subnets/{subnet['id']}", f"/networks/{network['id']}"):
        assert (await neutron.ask("DELETE", path)).status == 204
        assert (await neutron.ask("GET", path)).status == 404


@ensureDeferred
async def test_what_a_network_stands_on_is_for_administrators(neutron):
    """They choose and see it; a VLAN nobody named is given out, one that is taken is refused."""
    vlan = await neutron.make("/networks", "network", "admin", name="vlan", shared=True, **{
        "provider:network_type": "vlan", "provider:physical_network": "physnet1"})
    assert (vlan["provider:segmentation_id"], vlan["mtu"]) == (100, 1500)
    wanted = {"provider:network_type": "vlan", "provider:physical_network": "physnet1",
              "provider:segmentation_id": 100}
    refused = await neutron.ask("POST", "/networks", {"network": wanted}, who="admin")
    assert (refused.status, refused.body["NeutronError"]["type"]) == (409, "VlanIdInUse")
    mine = await neutron.list(f"/networks?id={vlan['id']}", "networks")
    assert not [word for word in mine[0] if word.startswith("provider:")]
    refused = await neutron.ask("POST", "/networks", {"network": {"provider:network_type": "vxlan"}})
    assert refused.status == 403
    tenant = await neutron.ask("GET", f"/networks/{(await default_network(neutron))['id']}", who="admin")
    shown = tenant.body["network"]
    assert (shown["provider:network_type"], shown["provider:physical_network"]) == ("vxlan", None)
    assert shown["provider:segmentation_id"] > 0
    found = await neutron.list("/networks?provider:network_type=vlan", "networks", "admin")
    assert [one["id"] for one in found] == [vlan["id"]]
    changed = await neutron.ask("PUT", f"/networks/{vlan['id']}", {"network": {"provider:network_type": "flat"}},
                                who="admin")
    assert changed.status == 400


@ensureDeferred
async def test_changes_show_at_once(neutron):
    network = await neutron.make("/networks", "network", name="lan")
    changed = await neutron.ask("PUT", f"/networks/{network['id']}", {"network": {"name": "wan"}})
    assert changed.body["network"]["name"] == "wan"
    subnet = await neutron.make("/subnets", "subnet", network_id=network["id"], cidr="10.0.0.0/24")
    changed = await neutron.ask("PUT", f"/subnets/{subnet['id']}", {"subnet": {"gateway_ip": None, "name": "s"}})
    assert (changed.body["subnet"]["gateway_ip"], changed.body["subnet"]["name"]) == (None, "s")
    port = await neutron.make("/ports", "port", network_id=network["id"])
    assert len(port["security_groups"]) == 1
    changed = await neutron.ask("PUT", f"/ports/{port['id']}", {"port": {
        "security_groups": [], "port_security_enabled": False}})
    assert (changed.body["port"]["security_groups"], changed.body["port"]["port_security_enabled"]) == ([], False)


@ensureDeferred
async def test_on_another_projects_network_port_security_stays_on(neutron):
    network = await neutron.make("/networks", "network", "admin", name="lan", shared=True)
    await neutron.make("/subnets", "subnet", "admin", network_id=network["id"], cidr="10.0.0.0/24")
    refused = await neutron.ask("POST", "/ports", {"port": {"network_id": network["id"],
                                                            "port_security_enabled": False}})
    assert (refused.status, refused.body["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    port = await neutron.make("/ports", "port", network_id=network["id"], port_security_enabled=True)
    off = {"port": {"security_groups": [], "port_security_enabled": False}}
    assert (await neutron.ask("PUT", f"/ports/{port['id']}", off)).status == 403
    assert (await neutron.ask("PUT", f"/ports/{port['id']}", off, "admin")).status == 200


@ensureDeferred
async def test_many_are_made_at_once_or_none(neutron):
    answer = await neutron.ask("POST", "/networks", {"networks": [{"name": "a"}, {"name": "b"}]})
    assert [network["name"] for network in answer.body["networks"]] == ["a", "b"]
    network = answer.body["networks"][0]["id"]
    answer = await neutron.ask("POST", "/subnets", {"subnets": [
        {"network_id": network, "cidr": "10.0.0.0/24"}, {"network_id": network, "cidr": "10.0.0.0/25"}]})
    assert answer.status == 400
    assert await neutron.list(f"/subnets?network_id={network}", "subnets") == []


@ensureDeferred
async def test_a_floating_address_is_led_and_released(neutron):
    (public,) = await neutron.list("/networks?router:external=True", "networks")
    port = await neutron.make("/ports", "port", network_id=(await default_network(neutron))["id"])
    floating = await neutron.make("/floatingips", "floatingip", floating_network_id=public["id"])
    assert (floating["status"], floating["port_id"], floating["router_id"]) == ("DOWN", None, None)
    led = await neutron.ask("PUT", f"/floatingips/{floating['id']}", {"floatingip": {"port_id": port["id"]}})
    assert led.body["floatingip"]["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    freed = await neutron.ask("PUT", f"/floatingips/{floating['id']}", {"floatingip": {"port_id": None}})
    assert freed.body["floatingip"]["port_id"] is None
    assert (await neutron.ask("DELETE", f"/floatingips/{floating['id']}")).status == 204
    assert await neutron.list("/floatingips", "floatingips") == []


@ensureDeferred
async def test_rules_are_added_once_and_removed(neutron):
    group = await neutron.make("/security-groups", "security_group", name="web", description="d")
    assert len(group["security_group_rules"]) == 2
    ssh = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": "22",
           "port_range_max": 22, "remote_ip_prefix": "10.0.0.5/8"}
    rule = await neutron.make("/security-group-rules", "security_group_rule", **ssh)
    assert (rule["port_range_min"], rule["remote_ip_prefix"], rule["ethertype"]) == (22, "10.0.0.0/8", "IPv4")
    again = await neutron.ask("POST", "/security-group-rules", {"security_group_rule": ssh})
    assert (again.status, again.body["NeutronError"]["type"]) == (409, "SecurityGroupRuleExists")
    assert await neutron.list(f"/security-group-rules?security_group_id={group['id']}&direction=ingress",
                              "security_group_rules") == [rule]
    assert (await neutron.ask("DELETE", f"/security-group-rules/{rule['id']}")).status == 204
    assert (await neutron.ask("DELETE", f"/security-groups/{group['id']}")).status == 204


@ensureDeferred
async def test_a_protocol_may_be_a_number(neutron):
    group = await neutron.make("/security-groups", "security_group", name="web")
    rule = await neutron.make("/security-group-rules", "security_group_rule", security_group_id=group["id"],
                              direction="egress", protocol=17)
    assert rule["protocol"] == "17"


@pytest.mark.parametrize("path, type", [
    ("networks", "NetworkNotFound"), ("subnets", "SubnetNotFound"), ("ports", "PortNotFound"),
    ("floatingips", "FloatingIPNotFound"), ("security-groups", "SecurityGroupNotFound"),
    ("security-group-rules", "SecurityGroupRuleNotFound"), ("routers", "HTTPNotFound")])
@ensureDeferred
async def test_what_is_not_there_is_not_found_by_id_or_name(neutron, path, type):
    for id in (NOWHERE, "some-name"):
        answer = await neutron.ask("GET", f"/{path}/{id}")
        assert (answer.status, answer.body["NeutronError"]["type"]) == (404, type)


@pytest.mark.parametrize("path, word", [
    ("networks", "networks"), ("subnets", "subnets"), ("ports", "ports"), ("security-groups", "security_groups"),
    ("security-group-rules", "security_group_rules"), ("floatingips", "floatingips")])
@ensureDeferred
async def test_foreign_resources_are_not_found(neutron, path, word):
    await neutron.make("/ports", "port", "admin", network_id=(await default_network(neutron, "admin"))["id"])
    (public,) = await neutron.list("/networks?router:external=True", "networks")
    await neutron.make("/floatingips", "floatingip", "admin", floating_network_id=public["id"])
    admin = neutron.made.admin.project.id
    foreign = (await neutron.list(f"/{path}?project_id={admin}", word, "admin"))[0]
    assert (await neutron.ask("GET", f"/{path}/{foreign['id']}")).status == 404
    assert (await neutron.ask("DELETE", f"/{path}/{foreign['id']}")).status == 404
    assert await neutron.list(f"/{path}?id={foreign['id']}", word) == []


@pytest.mark.parametrize("path, body", [
    ("/networks", {"network": {"colour": "red"}}), ("/networks", {}), ("/networks", {"networks": []}),
    ("/networks", {"network": {"name": 5}}), ("/subnets", {"subnet": {"cidr": "10.0.0.0/24"}}),
    ("/ports", {"port": {"network_id": NOWHERE, "binding:vnic_type": "direct"}}),
    ("/security-group-rules", {"security_group_rule": {"security_group_id": NOWHERE, "direction": "up"}})])
@ensureDeferred
async def test_wrong_bodies_are_refused_in_neutrons_words(neutron, path, body):
    answer = await neutron.ask("POST", path, body)
    assert (answer.status, answer.body["NeutronError"]["type"]) == (400, "InvalidInput")


@ensureDeferred
async def test_members_may_not_do_what_is_for_admins(neutron):
    answer = await neutron.ask("POST", "/networks", {"network": {"shared": True}})
    assert (answer.status, answer.body["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    assert (await neutron.ask("GET", "/agents")).status == 403
    assert await neutron.list("/agents", "agents", "admin") == []


@ensureDeferred
async def test_quotas_are_shown_set_and_enforced(neutron):
    project = neutron.made.demo.project.id
    details = await neutron.ask("GET", f"/quotas/{project}/details")
    assert details.body["quota"]["network"] == {"limit": 100, "used": 1, "reserved": 0}
    changed = await neutron.ask("PUT", f"/quotas/{project}", {"quota": {"network": 1}}, "admin")
    assert changed.body["quota"]["network"] == 1
    refused = await neutron.ask("POST", "/networks", {"network": {}})
    assert (refused.status, refused.body["NeutronError"]["type"]) == (409, "OverQuota")
    assert (await neutron.ask("DELETE", f"/quotas/{project}", who="admin")).status == 204
    await neutron.make("/networks", "network")
    assert (await neutron.ask("PUT", f"/quotas/{project}", {"quota": {"network": 5}})).status == 403


@ensureDeferred
async def test_zones_and_fullness_are_shown(neutron):
    zones = await neutron.list("/availability_zones", "availability_zones")
    assert {zone["resource"] for zone in zones} == {"network"}
    network = await default_network(neutron)
    await neutron.make("/ports", "port", network_id=network["id"])
    full = await neutron.ask("GET", f"/network-ip-availabilities/{network['id']}", who="admin")
    assert full.body["network_ip_availability"]["used_ips"] == 1
    assert full.body["network_ip_availability"]["total_ips"] == 2 * (4096 - 3)
