"""Ids: 32 hex digits inside, dashed UUIDs for OpenStack, prefix and 17 hex digits for EC2.

Every API translates at its own edge with these functions; records hold only the 32-digit form.
"""

import re
import uuid

from stackd.model import kinds

EC2_DIGITS = 17

EC2_PREFIXES = {
    kinds.INSTANCE: "i",
    kinds.IMAGE: "ami",
    kinds.KEYPAIR: "key",
    kinds.NETWORK: "vpc",
    kinds.SUBNET: "subnet",
    kinds.PORT: "eni",
    kinds.FLOATING_IP: "eipalloc",
    kinds.SECURITY_GROUP: "sg",
    kinds.SECURITY_GROUP_RULE: "sgr",
    kinds.RESERVATION: "r",
}

_EC2_ID = re.compile(r"^([a-z]+)-([0-9a-f]{17})$")
_HEX = re.compile(r"^[0-9a-f]{32}$")


def new_id() -> str:
    """A random id: 32 lower-case hex digits of a version 4 UUID."""
    return uuid.uuid4().hex


def dashed(id: str) -> str:
    """The id as OpenStack writes it, ``8-4-4-4-12``."""
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"


def parse_uuid(text: str) -> str | None:
    """The 32-digit form of a UUID written with or without dashes; None when it is no UUID."""
    bare = text.replace("-", "").lower()
    return bare if _HEX.match(bare) else None


def ec2_id(kind: str, id: str) -> str:
    """The id as EC2 writes it, for example ``i-0123456789abcdef0``; ``kind`` is a word of ``kinds``."""
    return f"{EC2_PREFIXES[kind]}-{id[:EC2_DIGITS]}"


def parse_ec2_id(text: str) -> tuple[str, str] | None:
    """The prefix and the 17 hex digits of an EC2 id; None when it is malformed."""
    match = _EC2_ID.match(text)
    return (match[1], match[2]) if match else None


def id_range(digits: str) -> tuple[str, str]:
    """The lowest and the highest 32-digit id that begin with ``digits``, both inclusive."""
    return digits.ljust(32, "0"), digits.ljust(32, "f")
