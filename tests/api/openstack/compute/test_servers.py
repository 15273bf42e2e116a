"""Servers: what is asked for comes about, what cannot be is refused in Nova's words."""

from base64 import b64encode
from typing import Any

import pytest

from stackd.model.ids import ec2_id, parse_uuid
from stackd.model.instances import LaunchRequest
from stackd.model.kinds import INSTANCE
from tests.api.openstack.compute.conftest import Nova

NOWHERE = "00000000-0000-0000-0000-000000000007"


def test_a_life(nova: Nova) -> None:
    """From creation to 404, with every status a client waits for."""
    made = nova.create(metadata={"a": "b"}, key_name=None, description="first")
    assert made["adminPass"] and made["links"][0]["href"].endswith(f"/compute/v2.1/servers/{made['id']}")
    assert nova.show(made["id"])["status"] == "BUILD"
    nova.settle(made["id"], "ACTIVE")
    server = nova.show(made["id"])
    assert server["addresses"]["default"][0]["OS-EXT-IPS:type"] == "fixed"
    assert (server["metadata"], server["description"], server["security_groups"]) == (
        {"a": "b"}, "first", [{"name": "default"}])
    for name, body, status in (("os-stop", None, "SHUTOFF"), ("os-start", None, "ACTIVE"),
                               ("reboot", {"type": "SOFT"}, "ACTIVE"), ("reboot", {"type": "HARD"}, "ACTIVE")):
        assert nova.act(made["id"], name, body).status == 202
        nova.settle(made["id"], status)
    assert nova.ask("DELETE", f"/servers/{made['id']}").status == 204
    nova.cloud.until(lambda: nova.ask("GET", f"/servers/{made['id']}").status == 404)
    assert nova.ask("DELETE", f"/servers/{made['id']}").status == 404
    assert nova.names() == []


def test_what_a_creation_asks_for(nova: Nova) -> None:
    """Key, user data, zone, config drive, groups, tags, addresses to show."""
    nova.ask("POST", "/os-keypairs", {"keypair": {"name": "k"}})
    id = nova.running(key_name="k", user_data=b64encode(b"#!/bin/sh").decode(), availability_zone="us-east-1a",
                      config_drive=True, security_groups=[{"name": "default"}], tags=["x", "y"],
                      accessIPv4="192.0.2.1", accessIPv6="2001:db8::1", **{"OS-DCF:diskConfig": "AUTO"})
    server = nova.show(id, "admin")
    assert (server["key_name"], server["OS-EXT-AZ:availability_zone"], server["config_drive"]) == (
        "k", "us-east-1a", "True")
    assert (server["tags"], server["accessIPv4"], server["accessIPv6"]) == (["x", "y"], "192.0.2.1", "2001:db8::1")
    assert server["OS-EXT-SRV-ATTR:user_data"] == b64encode(b"#!/bin/sh").decode()


def test_networks_of_a_creation(nova: Nova) -> None:
    """None, by id with an address, by port."""
    cloud = nova.cloud
    network = next(one for one in cloud.run(cloud.core.networks.list(cloud.caller)) if one.is_default)
    none = nova.running(name="none", networks="none")
    assert nova.show(none)["addresses"] == {} and "security_groups" not in nova.show(none)
    fixed = nova.running(name="fixed", networks=[{"uuid": network.id, "fixed_ip": "172.31.0.77"}])
    assert nova.show(fixed)["addresses"]["default"][0]["addr"] == "172.31.0.77"
    (interface,) = nova.ask("GET", f"/servers/{fixed}/os-interface").body["interfaceAttachments"]
    assert (interface["port_state"], interface["fixed_ips"][0]["ip_address"]) == ("ACTIVE", "172.31.0.77")
    taken = nova.ask("POST", "/servers", {"server": nova.wanted(networks=[{"port": interface["port_id"]}])})
    assert taken.status == 409


def test_several_at_once(nova: Nova) -> None:
    """All of them share a reservation, which lists find."""
    answer = nova.ask("POST", "/servers", {"server": nova.wanted(min_count="2", max_count=3,
                                                                 return_reservation_id=True)})
    assert answer.status == 202
    nova.create(name="other")
    assert sorted(nova.names(f"reservation_id={answer.body['reservation_id']}")) == ["web-1", "web-2", "web-3"]
    assert nova.names("reservation_id=r-00000000") == []


@pytest.mark.parametrize(("field", "value", "status", "words"), [
    ("imageRef", NOWHERE, 400, f"Image {NOWHERE} could not"), ("imageRef", "", 400, "imageRef"),
    ("imageRef", "x", 400, "imageRef"),
    ("flavorRef", "nope", 400, "Flavor nope could not be found"), ("flavorRef", "", 400, "flavorRef"),
    ("flavorRef", None, 400, "flavorRef"), ("name", "", 400, "name"), ("name", "x" * 256, 400, "name"),
    ("name", " x", 400, "name"), ("name", None, 400, "name"), ("name", 5, 400, "name"),
    ("key_name", "nope", 400, "nope"), ("availability_zone", "nope", 400, "nope"),
    ("availability_zone", "us-east-1a:host-1", 403, "administrators"),
    ("networks", [{"uuid": NOWHERE}], 400, NOWHERE), ("networks", [{"port": NOWHERE}], 400, NOWHERE),
    ("networks", [{}], 400, "network uuid"), ("networks", [{"uuid": "x"}], 400, "networks"), ("networks", 5, 400, ""),
    ("networks", [{"port": NOWHERE, "fixed_ip": "1.2.3.4"}], 400, "cannot be used with port"),
    ("security_groups", [{"name": "nope"}], 400, "nope"), ("security_groups", ["default"], 400, "security_groups"),
    ("user_data", "no base64!", 400, "user_data"), ("user_data", "A" * 65536, 400, "user_data"),
    ("metadata", {"a": 5}, 400, "metadata"), ("metadata", {"a" * 256: "b"}, 400, ""),
    ("min_count", 0, 400, "min_count"), ("min_count", 3, 202, ""), ("max_count", "x", 400, "max_count"),
    ("OS-DCF:diskConfig", "SOME", 400, "diskConfig"), ("config_drive", "maybe", 400, "config_drive"),
    ("block_device_mapping_v2", [{"source_type": "volume", "uuid": NOWHERE, "boot_index": 0}], 400, "source_type"),
    ("block_device_mapping_v2", [{"source_type": "image", "uuid": NOWHERE, "boot_index": 0,
                                  "destination_type": "local"}], 400, "different images"),
    ("personality", [{"path": "/x", "contents": ""}], 400, "personality"), ("nonsense", 1, 400, "nonsense"),
    ("accessIPv4", "300.1.1.1", 400, "accessIPv4"), ("tags", ["a,b"], 400, "tags"), ("tags", ["a", "a"], 400, "tags"),
])
def test_creations_that_cannot_be(nova: Nova, field: str, value: Any, status: int, words: str) -> None:
    """The field is named."""
    answer = nova.ask("POST", "/servers", {"server": nova.wanted(**{field: value})})
    assert answer.status == status, answer
    assert status == 202 or words in answer.message


def test_the_root_disk_may_be_said_twice(nova: Nova) -> None:
    """As the openstack command does."""
    disk = {"uuid": nova.image, "source_type": "image", "destination_type": "local", "boot_index": 0,
            "delete_on_termination": True}
    nova.running(block_device_mapping_v2=[disk])
    nova.create(imageRef="", block_device_mapping_v2=[disk])


def test_admins_choose_hosts(nova: Nova) -> None:
    """In the zone's place, or in fields of their own."""
    for name, body in (("a", {"availability_zone": "us-east-1b:host-2"}), ("b", {"host": "host-2"}),
                       ("c", {"hypervisor_hostname": "host-2"})):
        id = nova.running("admin", name=name, **body)
        assert nova.show(id, "admin")["OS-EXT-SRV-ATTR:host"] == "host-2"
    assert sorted(nova.names("host=host-2&all_tenants=1", "admin")) == ["a", "b", "c"]
    answer = nova.ask("POST", "/servers", {"server": nova.wanted(availability_zone="us-east-1b:host-2",
                                                                 host="host-1")}, "admin")
    assert answer.status == 400


def test_quotas_hold(nova: Nova) -> None:
    """Over quota is forbidden, in numbers."""
    project = nova.callers["stranger"].project_id
    nova.ask("PUT", f"/os-quota-sets/{project}", {"quota_set": {"instances": 1}}, "admin")
    nova.create("stranger")
    answer = nova.ask("POST", "/servers", {"server": nova.wanted()}, "stranger")
    assert (answer.status, "Quota exceeded for instances" in answer.message) == (403, True)


def test_changes(nova: Nova) -> None:
    """Name, description and shown addresses."""
    id = nova.create()["id"]
    wanted = {"name": "new", "description": "d", "accessIPv4": "1.2.3.4"}
    changed = nova.ask("PUT", f"/servers/{id}", {"server": wanted})
    assert (changed.status, changed.body["server"]["name"], changed.body["server"]["accessIPv4"]) == (
        200, "new", "1.2.3.4")
    assert nova.ask("PUT", f"/servers/{id}", {"server": {"description": None}}).body["server"]["description"] is None
    for body in ({}, {"name": ""}, {"flavorRef": "2"}):
        assert nova.ask("PUT", f"/servers/{id}", {"server": body}).status == 400


def test_no_room_shows_why(nova: Nova) -> None:
    """The fault carries the scheduler's words."""
    flavor = {"name": "huge", "ram": 2**30, "vcpus": 1, "disk": 0, "id": "huge"}
    assert nova.ask("POST", "/flavors", {"flavor": flavor}, "admin").status == 200
    id = nova.create(flavorRef="huge")["id"]
    nova.cloud.until(lambda: nova.show(id)["status"] == "ERROR", 600)
    fault = nova.show(id)["fault"]
    assert (fault["code"], "memory" in fault["message"], "details" in fault) == (500, True, False)
    assert "details" in nova.show(id, "admin")["fault"]
    assert nova.show(id)["OS-EXT-STS:vm_state"] == "error"


def test_an_instance_of_ec2_is_the_same_server(nova: Nova) -> None:
    """Without a name it goes by its EC2 id."""
    cloud = nova.cloud
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano")
    (seen,) = cloud.run(cloud.core.instances.launch(cloud.caller, request)).instances
    assert nova.names() == [ec2_id(INSTANCE, seen.instance.id)]
    (server,) = nova.ask("GET", "/servers").body["servers"]
    assert parse_uuid(server["id"]) == seen.instance.id


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'"x"', b"{}", b'{"server": []}', b'{"server": null}'])
def test_bodies_that_are_none(nova: Nova, body: bytes) -> None:
    """Never more than a bad request."""
    assert nova.ask("POST", "/servers", body).status == 400


@pytest.mark.parametrize("id", [NOWHERE, "x", "../..", "i-0123456789abcdef0", "%00", "ü"])
def test_unknown_ids(nova: Nova, id: str) -> None:
    """Not found, whatever they look like."""
    for method, path, body in (("GET", "", None), ("DELETE", "", None), ("PUT", "", {"server": {"name": "x"}}),
                               ("POST", "/action", {"os-start": None}), ("GET", "/metadata", None),
                               ("GET", "/ips", None), ("GET", "/os-interface", None), ("GET", "/tags", None),
                               ("GET", "/os-instance-actions", None), ("GET", "/os-security-groups", None)):
        answer = nova.ask(method, f"/servers/{id}{path}", body)
        assert answer.status in (404, 405), (method, path, answer)


def test_readers_change_nothing(nova: Nova) -> None:
    """They see all of their project's."""
    id = nova.running()
    assert nova.show(id, "reader")["id"] == id
    assert nova.act(id, "os-stop", who="reader").status == 403
    assert nova.ask("POST", "/servers", {"server": nova.wanted()}, "reader").status == 403
    assert nova.ask("DELETE", f"/servers/{id}", None, "reader").status == 403
    assert nova.ask("GET", "/servers", None, "").status == 401
    assert nova.ask("GET", "/servers", None, "nobody").status == 401
