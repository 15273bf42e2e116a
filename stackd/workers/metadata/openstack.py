"""The OpenStack tree of an instance: ``/openstack/{version}/`` with its JSON files. Pure."""

import json
from base64 import b64encode

from stackd.model.assignments import InstanceAssignment
from stackd.model.devices import tap_name
from stackd.model.ids import dashed
from stackd.model.networks import Port
from stackd.workers.metadata.facts import fixed, full_hostname, live_ports
from stackd.workers.metadata.tree import USER_DATA, Directory, pruned

VERSIONS = ("2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22",
            "2018-08-27", "2020-10-14", "latest")
DEFAULT_MTU = 1450


def openstack_tree(assignment: InstanceAssignment, seed: bytes) -> Directory:
    """What every version shows; ``seed`` is randomness for the guest's own generator, new with each request."""
    return pruned({
        "meta_data.json": json.dumps(meta(assignment, seed)),
        "network_data.json": json.dumps(network(assignment)),
        "user_data": USER_DATA if assignment.instance.has_user_data else None,
        "vendor_data.json": "{}",
        "vendor_data2.json": "{}",
    })


def meta(assignment: InstanceAssignment, seed: bytes) -> dict[str, object]:
    """The content of ``meta_data.json``."""
    instance = assignment.instance
    shown: dict[str, object] = {
        "uuid": dashed(instance.id), "name": instance.name, "hostname": full_hostname(assignment),
        "availability_zone": instance.zone, "launch_index": instance.launch_index,
        "project_id": instance.project_id, "meta": dict(instance.metadata), "devices": [], "dedicated_cpus": [],
        "random_seed": b64encode(seed).decode(),
    }
    if instance.public_key:
        key = instance.public_key.strip()
        shown["public_keys"] = {instance.key_name: key + "\n"}
        shown["keys"] = [{"name": instance.key_name, "type": "ssh", "data": key + "\n"}]
    return shown


def network(assignment: InstanceAssignment) -> dict[str, object]:
    """The content of ``network_data.json``: every address is given by DHCP."""
    ports = live_ports(assignment)
    links = [{"id": tap_name(port.id), "vif_id": dashed(port.id), "type": "bridge",
              "ethernet_mac_address": port.mac, "mtu": assignment.mtus.get(port.network_id, DEFAULT_MTU)}
             for port in ports]
    kinds = [(port, kind) for port in ports for kind in _dhcp_kinds(port)]
    networks = [{"id": f"network{index}", "type": kind, "link": tap_name(port.id),
                 "network_id": dashed(port.network_id)} for index, (port, kind) in enumerate(kinds)]
    return {"links": links, "networks": networks, "services": []}


def _dhcp_kinds(port: Port) -> list[str]:
    return [kind for version, kind in ((4, "ipv4_dhcp"), (6, "ipv6_dhcpv6-stateful")) if fixed(port, version)]
