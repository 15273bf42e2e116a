"""Both trees, key by key."""

import json

import pytest

from stackd.workers.metadata.ec2 import VERSIONS, ec2_tree
from stackd.workers.metadata.openstack import openstack_tree
from stackd.workers.metadata.tree import USER_DATA, find, listing
from tests.workers.metadata.samples import KEY, plain, rich

MAC = "network/interfaces/macs/fa:16:3e:00:00:01/"


def at(path: str, tree: object = None) -> object:
    """What stands at a path of the rich instance."""
    return find(tree or ec2_tree(rich(), "us-east-1"), path.strip("/").split("/"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "expected"), [
    ("ami-id", "ami-ccccccccccccccccc"),
    ("ami-launch-index", "3"),
    ("ami-manifest-path", "(unknown)"),
    ("block-device-mapping/ami", "vda"),
    ("block-device-mapping/ephemeral0", "sdy"),
    ("block-device-mapping/root", "/dev/vda"),
    ("block-device-mapping/swap", "sdz"),
    ("hostname", "web.novalocal"),
    ("instance-action", "none"),
    ("instance-id", "i-ddddddddddddddddd"),
    ("instance-type", "t2.nano"),
    ("kernel-id", "aki-88888888888888888"),
    ("ramdisk-id", None),
    ("local-hostname", "web.novalocal"),
    ("local-ipv4", "10.0.0.5"),
    ("mac", "fa:16:3e:00:00:01"),
    ("mpi", {}),
    ("placement/availability-zone", "zone-a"),
    ("placement/region", "us-east-1"),
    ("public-hostname", "web.novalocal"),
    ("public-ipv4", "203.0.113.10"),
    ("public-keys/0/openssh-key", KEY),
    ("reservation-id", "r-eeeeeeeeeeeeeeeee"),
    ("security-groups", "default"),
    ("tags/instance/role", "db"),
    ("tags/instance/a/b", None),
    (MAC + "device-number", "0"),
    (MAC + "interface-id", "eni-fffffffffffffffff"),
    (MAC + "ipv4-associations/203.0.113.10", "10.0.0.5"),
    (MAC + "ipv6s", "fd00::5"),
    (MAC + "local-ipv4s", "10.0.0.5"),
    (MAC + "public-ipv4s", "203.0.113.10"),
    (MAC + "security-group-ids", "sg-99999999999999999"),
    (MAC + "subnet-id", "subnet-22222222222222222"),
    (MAC + "vpc-id", "vpc-11111111111111111"),
    ("network/interfaces/macs/fa:16:3e:00:00:03", None),
    ("no-such-key", None),
    ("instance-id/deeper", None),
])
def test_ec2_keys(key: str, expected: object) -> None:
    """Every key a client may ask for."""
    assert at(f"meta-data/{key}") == expected


def test_listings() -> None:
    """Directories end in a slash, keys show their names, ports being deleted do not show."""
    assert listing(at("meta-data/public-keys")) == "0=mine"  # type: ignore[arg-type]
    assert listing(at("meta-data/network/interfaces/macs")) == (  # type: ignore[arg-type]
        "fa:16:3e:00:00:01/\nfa:16:3e:00:00:02/")
    shown = listing(at("meta-data")).split("\n")  # type: ignore[arg-type]
    assert "placement/" in shown and "instance-id" in shown
    assert listing(ec2_tree(rich(), "r")) == "dynamic/\nmeta-data/\nuser-data"
    assert {"2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"} <= set(VERSIONS)


def test_plain_instance() -> None:
    """What an instance does not have is absent, or empty where clients expect the key."""
    tree = ec2_tree(plain(), "r")
    for absent in ("user-data", "meta-data/public-keys", "meta-data/tags", "meta-data/kernel-id"):
        assert find(tree, absent.split("/")) is None
    assert find(tree, ["meta-data", "public-ipv4"]) == ""
    files = openstack_tree(plain(), b"")
    assert "user_data" not in files
    assert "public_keys" not in json.loads(str(files["meta_data.json"]))


def test_identity_document() -> None:
    """The document is JSON and names instance, place and image."""
    document = json.loads(str(at("dynamic/instance-identity/document")))
    assert document["instanceId"] == "i-ddddddddddddddddd"
    assert document["region"] == "us-east-1" and document["availabilityZone"] == "zone-a"
    assert document["privateIp"] == "10.0.0.5" and document["kernelId"] == "aki-88888888888888888"
    assert document["pendingTime"] == "1970-01-01T00:01:30Z"


def test_openstack_files() -> None:
    """The JSON files as cloud-init reads them."""
    files = openstack_tree(rich(), b"\x00\x01")
    shown = json.loads(str(files["meta_data.json"]))
    assert shown["uuid"] == "dddddddd-dddd-dddd-dddd-dddddddddddd"
    assert shown["public_keys"] == {"mine": KEY + "\n"}
    assert shown["keys"] == [{"name": "mine", "type": "ssh", "data": KEY + "\n"}]
    assert shown["meta"] == {"role": "db", "a/b": "not a path"}
    assert shown["random_seed"] == "AAE=" and shown["launch_index"] == 3
    wires = json.loads(str(files["network_data.json"]))
    assert wires["links"][0] == {"id": "tapfffffffffff", "vif_id": "ffffffff-ffff-ffff-ffff-ffffffffffff",
                                 "type": "bridge", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": 1400}
    assert [(each["type"], each["link"]) for each in wires["networks"]] == [
        ("ipv4_dhcp", "tapfffffffffff"), ("ipv6_dhcpv6-stateful", "tapfffffffffff"), ("ipv4_dhcp", "tapeeeeeeeeeee")]
    assert files["user_data"] is USER_DATA
    assert files["vendor_data.json"] == "{}"
