"""IMDSv2 session tokens that need no memory: an expiry and a MAC over it and the instance. Pure."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

LONGEST = 21600
"""Seconds a token may live."""
_EXPIRY = struct.Struct("!Q")


def issue(secret: bytes, instance_id: str, expires: int) -> str:
    """A token that is good for one instance until ``expires`` (epoch seconds)."""
    packed = _EXPIRY.pack(expires)
    return urlsafe_b64encode(packed + _mac(secret, instance_id, packed)).decode()


def is_valid(secret: bytes, instance_id: str, token: str, now: float) -> bool:
    """Whether a token is one of ours, for this instance, and still good."""
    try:
        raw = urlsafe_b64decode(token.encode())
    except (Error, ValueError):
        return False
    packed, mac = raw[:_EXPIRY.size], raw[_EXPIRY.size:]
    if len(packed) != _EXPIRY.size or not hmac.compare_digest(mac, _mac(secret, instance_id, packed)):
        return False
    return now < int(_EXPIRY.unpack(packed)[0])


def _mac(secret: bytes, instance_id: str, packed: bytes) -> bytes:
    return hmac.digest(secret, b"imds\0" + instance_id.encode() + b"\0" + packed, sha256)
