"""Flavors, key pairs, zones, limits, quotas, services, hypervisors, and what is not there."""

import pytest

from tests.api.openstack.compute.conftest import Nova

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVtYougszsym8Efmk8XQJ7q0TTLhmDyRlPa3eRcFT1o me@here"


def test_flavors_are_listed_in_pages_and_by_size(nova: Nova) -> None:
    """By id where nothing else is asked."""
    everything = [flavor["id"] for flavor in nova.ask("GET", "/flavors").body["flavors"]]
    assert everything == sorted(everything) and "t2.nano" in everything
    page = nova.ask("GET", "/flavors/detail?limit=3&sort_key=memory_mb&sort_dir=desc").body
    assert [flavor["ram"] for flavor in page["flavors"]] == [32768, 32768, 16384]
    following = nova.ask("GET", page["flavors_links"][0]["href"].partition("/v2.1")[2]).body["flavors"]
    assert following[0]["ram"] == 16384
    big = nova.ask("GET", "/flavors/detail?minRam=16384&minDisk=100").body["flavors"]
    assert {flavor["name"] for flavor in big} == {"m1.xlarge", "m5.2xlarge"}
    for query in ("limit=x", "marker=nope", "minRam=x", "sort_key=colour", "sort_dir=up"):
        assert nova.ask("GET", f"/flavors?{query}").status == 400
    assert nova.ask("GET", "/flavors?is_public=maybe", None, "admin").status == 400


def test_flavors_of_admins(nova: Nova) -> None:
    """Made, kept from users, and deleted."""
    body = {"name": "secret", "ram": "64", "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False, "id": None}
    made = nova.ask("POST", "/flavors", {"flavor": body}, "admin")
    assert (made.status, made.body["flavor"]["os-flavor-access:is_public"]) == (200, False)
    id = made.body["flavor"]["id"]
    assert nova.ask("GET", f"/flavors/{id}").status == 404
    assert id not in [flavor["id"] for flavor in nova.ask("GET", "/flavors?is_public=None").body["flavors"]]
    for query, expected in (("is_public=None", True), ("is_public=false", True), ("", False)):
        found = [flavor["id"] for flavor in nova.ask("GET", f"/flavors?{query}", None, "admin").body["flavors"]]
        assert (id in found) is expected
    assert nova.ask("POST", "/flavors", {"flavor": body}, "admin").status == 409
    assert nova.ask("POST", "/flavors", {"flavor": body}).status == 403
    assert nova.ask("DELETE", f"/flavors/{id}").status == 403
    assert nova.ask("DELETE", f"/flavors/{id}", None, "admin").status == 202
    assert nova.ask("DELETE", f"/flavors/{id}", None, "admin").status == 404
    for wrong in ({"ram": 0}, {"vcpus": "x"}, {"disk": -1}, {"swap": 5}, {"name": ""}, {"nonsense": 1}):
        assert nova.ask("POST", "/flavors", {"flavor": body | wrong}, "admin").status == 400, wrong


def test_extra_specs_are_read(nova: Nova) -> None:
    """None are there, and one that is not there is not found."""
    assert nova.ask("GET", "/flavors/t2.nano/os-extra_specs").body == {"extra_specs": {}}
    assert nova.ask("GET", "/flavors/t2.nano/os-extra_specs/x").status == 404
    assert nova.ask("GET", "/flavors/nope/os-extra_specs").status == 404


def test_key_pairs(nova: Nova) -> None:
    """Generated and imported, the private key shown once, and nobody else's."""
    made = nova.ask("POST", "/os-keypairs", {"keypair": {"name": "made"}}).body["keypair"]
    assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    kept = nova.ask("POST", "/os-keypairs", {"keypair": {"name": "kept", "public_key": ED25519}})
    assert (kept.status, "private_key" in kept.body["keypair"]) == (201, False)
    shown = nova.ask("GET", "/os-keypairs/made").body["keypair"]
    assert shown["public_key"] == made["public_key"] and "private_key" not in shown
    assert nova.ask("GET", "/os-keypairs", None, "stranger").body["keypairs"] == []
    for method in ("GET", "DELETE"):
        assert nova.ask(method, "/os-keypairs/made", None, "stranger").status == 404
    for body, status in (({"name": "made"}, 409), ({"name": "x", "public_key": "nonsense"}, 400), ({}, 400),
                         ({"name": "x", "type": "x509"}, 400), ({"name": ""}, 400), ({"name": "x", "y": 1}, 400)):
        assert nova.ask("POST", "/os-keypairs", {"keypair": body}).status == status, body
    assert nova.ask("POST", "/os-keypairs", {"keypair": {"name": "x"}}, "reader").status == 403
    listed = nova.ask("GET", "/os-keypairs").body["keypairs"]
    assert [item["keypair"]["name"] for item in listed] == ["kept", "made"]


def test_zones(nova: Nova) -> None:
    """Names for all, hosts for admins."""
    zones = nova.ask("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert zones == [{"zoneName": name, "zoneState": {"available": True}, "hosts": None}
                     for name in ("us-east-1a", "us-east-1b")]
    detail = {zone["zoneName"]: zone["hosts"] for zone in
              nova.ask("GET", "/os-availability-zone/detail", None, "admin").body["availabilityZoneInfo"]}
    assert detail["us-east-1a"]["host-1"]["nova-compute"]["available"] is True
    assert nova.ask("GET", "/os-availability-zone/detail").status == 403


def test_limits_and_quotas(nova: Nova) -> None:
    """Counted, own ones for users, all for admins."""
    nova.create("stranger")
    project = nova.callers["stranger"].project_id
    path = f"/os-quota-sets/{project}"
    absolute = nova.ask("GET", "/limits", None, "stranger").body["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["totalRAMUsed"], absolute["maxTotalCores"]) == (1, 512, 20)
    assert nova.ask("GET", f"/limits?tenant_id={project}", None, "admin").body["limits"]["absolute"] == absolute
    changed = nova.ask("PUT", path, {"quota_set": {"cores": 40, "ram": "-1", "force": True}}, "admin")
    assert (changed.status, changed.body["quota_set"]["cores"], changed.body["quota_set"]["ram"]) == (200, 40, -1)
    detail = nova.ask("GET", f"{path}/detail", None, "stranger").body["quota_set"]
    assert detail["cores"] == {"limit": 40, "in_use": 1, "reserved": 0}
    assert nova.ask("GET", f"{path}/defaults", None, "stranger").body["quota_set"]["cores"] == 20
    assert nova.ask("DELETE", path, None, "admin").status == 202
    assert nova.ask("GET", path, None, "stranger").body["quota_set"]["cores"] == 20
    for who, status in (("member", 404), ("admin", 200)):
        for part in ("", "/detail", "/defaults"):
            assert nova.ask("GET", path + part, None, who).status == status
    assert nova.ask("GET", f"/limits?tenant_id={project}").status == 404
    assert nova.ask("GET", "/os-quota-sets/nope", None, "admin").status == 404
    for body, who, status in (({"cores": 1}, "stranger", 403), ({"cores": -2}, "admin", 400),
                              ({"server_groups": 5}, "admin", 400), ({"nonsense": 1}, "admin", 400)):
        assert nova.ask("PUT", path, {"quota_set": body}, who).status == status, body


def test_services(nova: Nova) -> None:
    """For admins, who enable and disable them in the way of their version."""
    services = nova.ask("GET", "/os-services?binary=nova-compute", None, "admin").body["services"]
    assert [service["host"] for service in services] == ["host-1", "host-2"]
    assert {service["state"] for service in services} == {"up"}
    path = f"/os-services/{services[0]['id']}"
    body = {"status": "disabled", "disabled_reason": "broken"}
    changed = nova.ask("PUT", path, body, "admin").body["service"]
    assert (changed["status"], changed["disabled_reason"]) == ("disabled", "broken")
    old = {"host": "host-1", "binary": "nova-compute"}
    assert nova.ask("PUT", "/os-services/enable", old, "admin", "2.52").body == {
        "service": {**old, "status": "enabled"}}
    disabled = nova.ask("PUT", "/os-services/disable-log-reason", {**old, "disabled_reason": "x"}, "admin", "2.1")
    assert disabled.body["service"]["disabled_reason"] == "x"
    (service,) = nova.ask("GET", "/os-services?host=host-1", None, "admin", "2.1").body["services"]
    assert (service["status"], isinstance(service["id"], int)) == ("disabled", True)
    for sent, status in ((body | {"status": "enabled"}, 400), ({}, 400), ({"forced_down": True}, 400)):
        assert nova.ask("PUT", path, sent, "admin").status == status
    assert nova.ask("PUT", "/os-services/nope", body, "admin").status == 404
    assert nova.ask("PUT", "/os-services/disable", {**old, "host": "nope"}, "admin", "2.1").status == 404
    for who in ("member", "reader"):
        assert nova.ask("GET", "/os-services", None, who).status == 403
        assert nova.ask("PUT", path, body, who).status == 403


def test_hypervisors(nova: Nova) -> None:
    """For admins, with what is used, and their servers."""
    nova.running("admin", host="host-2")
    found = nova.ask("GET", "/os-hypervisors/detail?hypervisor_hostname_pattern=host-2&with_servers=true", None,
                     "admin").body["hypervisors"]
    assert len(found) == 1 and len(found[0]["servers"]) == 1 and found[0]["memory_mb_used"] == 512
    path = f"/os-hypervisors/{found[0]['id']}"
    assert nova.ask("GET", path, None, "admin").body["hypervisor"]["running_vms"] == 1
    assert nova.ask("GET", f"{path}/uptime", None, "admin").status == 200
    assert len(nova.ask("GET", "/os-hypervisors/ost/search", None, "admin", "2.1").body["hypervisors"]) == 2
    (with_servers,) = nova.ask("GET", "/os-hypervisors/host-2/servers", None, "admin", "2.1").body["hypervisors"]
    assert len(with_servers["servers"]) == 1
    statistics = nova.ask("GET", "/os-hypervisors/statistics", None, "admin").body["hypervisor_statistics"]
    assert (statistics["count"], statistics["running_vms"]) == (2, 1)
    page = nova.ask("GET", "/os-hypervisors?limit=1", None, "admin").body
    assert len(page["hypervisors"]) == 1 and page["hypervisors_links"]
    assert nova.ask("GET", "/os-hypervisors/7", None, "admin").status == 404
    assert nova.ask("GET", "/os-hypervisors/nope/search", None, "admin", "2.1").status == 404
    for part in ("", "/detail", "/statistics", f"/{found[0]['id']}"):
        assert nova.ask("GET", f"/os-hypervisors{part}").status == 403


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/nothing", 404), ("GET", "/images", 404), ("GET", "/os-floating-ips", 404), ("POST", "/limits", 405),
    ("DELETE", "/servers", 405), ("GET", "/extensions/os-volumes", 404), ("POST", "/os-server-groups", 501)])
def test_what_is_not_there(nova: Nova, method: str, path: str, status: int) -> None:
    """In Nova's words."""
    answer = nova.ask(method, path)
    assert answer.status == status and answer.message


def test_there_are_no_server_groups(nova: Nova) -> None:
    """An empty list, because a project may have 0."""
    assert nova.ask("GET", "/os-server-groups").body == {"server_groups": []}
    assert nova.ask("GET", "/limits").body["limits"]["absolute"]["maxServerGroups"] == 0
