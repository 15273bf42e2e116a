"""Key pairs as Nova shows them."""

from typing import Any

from stackd.api.openstack.compute.microversions import Shown, Version, view
from stackd.api.openstack.compute.views.times import fine_moment
from stackd.model.keypairs import KeyPair, NewKeyPair

_BRIEF: tuple[Shown[KeyPair], ...] = (
    Shown("name", lambda keypair: keypair.name),
    Shown("public_key", lambda keypair: keypair.public_key),
    Shown("fingerprint", lambda keypair: keypair.fingerprint),
    # Nova's types tell SSH keys from certificates, not kinds of SSH key.
    Shown("type", lambda keypair: "ssh", since=(2, 2)),
)
_OWNED: tuple[Shown[KeyPair], ...] = (*_BRIEF, Shown("user_id", lambda keypair: keypair.user_id))
_FULL: tuple[Shown[KeyPair], ...] = (
    *_OWNED,
    Shown("id", lambda keypair: int(keypair.id[:7], 16)),
    Shown("created_at", lambda keypair: fine_moment(keypair.created_at)),
    Shown("updated_at", lambda keypair: None),
    Shown("deleted", lambda keypair: False),
    Shown("deleted_at", lambda keypair: None),
)


def brief(keypair: KeyPair, version: Version) -> dict[str, Any]:
    """An item of a list."""
    return {"keypair": view(_BRIEF, keypair, version)}


def full(keypair: KeyPair, version: Version) -> dict[str, Any]:
    """Everything."""
    return {"keypair": view(_FULL, keypair, version)}


def imported(keypair: KeyPair, version: Version) -> dict[str, Any]:
    """The answer to an import."""
    return {"keypair": view(_OWNED, keypair, version)}


def generated(made: NewKeyPair, version: Version) -> dict[str, Any]:
    """The answer to a generation, the only one that shows the private key."""
    return {"keypair": {**view(_OWNED, made.keypair, version), "private_key": made.private_key}}
