"""Tags as EC2 shows them, and the words EC2 has for kinds of resource."""

from collections.abc import Iterable, Mapping

from stackd.model import ids, kinds
from stackd.model.instances import Instance
from stackd.model.tags import Tag

NAME = "Name"
RESOURCE_TYPES = {
    kinds.INSTANCE: "instance", kinds.IMAGE: "image", kinds.KEYPAIR: "key-pair", kinds.NETWORK: "vpc",
    kinds.SUBNET: "subnet", kinds.PORT: "network-interface", kinds.FLOATING_IP: "elastic-ip",
    kinds.SECURITY_GROUP: "security-group", kinds.SECURITY_GROUP_RULE: "security-group-rule",
}
KINDS = {prefix: kind for kind, prefix in ids.EC2_PREFIXES.items() if kind in RESOURCE_TYPES}
"""Prefix of an id -> kind, for everything that can be tagged."""
Shown = list[dict[str, str]]


def shown(entries: Mapping[str, str]) -> Shown:
    """Tags from keys and values."""
    return [{"Key": key, "Value": value} for key, value in entries.items()]


def of_instance(instance: Instance) -> dict[str, str]:
    """An instance's metadata are its tags; its name shows as the tag Name, unless it never got one.

    The tag wins over a name that was only numbered because several were launched at once.
    """
    entries = dict(instance.metadata)
    name = instance.name
    if name == ids.ec2_id(kinds.INSTANCE, instance.id):
        return entries
    if NAME not in entries or (name != entries[NAME] and name.rpartition("-")[0] != entries[NAME]):
        entries[NAME] = name
    return entries


def by_resource(tags: Iterable[Tag]) -> dict[str, Shown]:
    """Resource id -> its tags."""
    found: dict[str, Shown] = {}
    for tag in tags:
        found.setdefault(tag.resource_id, []).append({"Key": tag.key, "Value": tag.value})
    return found


def description(kind: str, id: str, key: str, value: str) -> dict[str, str]:
    """One line of DescribeTags; ``id`` is the 32-digit one."""
    return {"Key": key, "ResourceId": ids.ec2_id(kind, id), "ResourceType": RESOURCE_TYPES[kind], "Value": value}
