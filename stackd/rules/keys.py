"""SSH keys: making pairs, reading public keys in the forms clients send, and the fingerprints each API shows.

Pure but for the randomness of :func:`generate`, which takes a tenth of a second of CPU for RSA and so belongs in a
thread. ``core.keypairs`` calls it.
"""

import base64
import binascii
import hashlib

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from stackd import errors
from stackd.model.keypairs import KeyType

RSA_BITS = 2048
"""What AWS makes."""
RSA_BITS_ACCEPTED = range(1024, 16385)
MAX_LENGTH = 16384
"""Characters of a public key we look at: the largest RSA key takes about 2,800."""

PublicKey = RSAPublicKey | Ed25519PublicKey


@frozen(kw_only=True)
class ParsedKey:
    """A public key we accept: its type, its one OpenSSH line, and both fingerprints of an imported key."""

    type: KeyType
    line: str
    fingerprint: str
    ec2_fingerprint: str


@frozen(kw_only=True)
class GeneratedKey:
    """A pair just made: the public half, and the private key as text."""

    public: ParsedKey
    private_key: str


def generate(type: KeyType, comment: str) -> GeneratedKey:
    """Make a pair: RSA as PEM (PKCS#1), ed25519 in OpenSSH's own format; no passphrase."""
    if type is KeyType.ED25519:
        ed25519 = Ed25519PrivateKey.generate()
        private = ed25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return GeneratedKey(public=_describe(ed25519.public_key(), comment), private_key=private.decode())
    rsa = generate_private_key(65537, RSA_BITS)
    private = rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = _describe(rsa.public_key(), comment, ec2_fingerprint=_private_fingerprint(rsa))
    return GeneratedKey(public=public, private_key=private.decode())


def parse(text: str | bytes, comment: str) -> ParsedKey:
    """A public key as an OpenSSH line, PEM, or base64 of either; raises ``InvalidKey``.

    ``comment`` is used when the key brings none.
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    raw = raw.strip()
    if not raw or len(raw) > MAX_LENGTH:
        raise errors.InvalidKey(f"The public key must have 1 to {MAX_LENGTH} characters.")
    for form in (raw, _unbase64(raw)):
        if form is not None and (key := _load(form)) is not None:
            return _describe(key, _comment(form) or comment)
    raise errors.InvalidKey("The public key cannot be read.")


def _load(form: bytes) -> PublicKey | None:
    """The key in one form; None when the bytes are not in a form we know at all."""
    form = form.strip()
    try:
        if form.startswith(b"-----BEGIN"):
            key: object = load_pem_public_key(form)
        elif b"\n" in form or not form.startswith((b"ssh-", b"ecdsa-", b"sk-")):
            return None
        else:
            key = load_ssh_public_key(form)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise errors.InvalidKey(f"The public key cannot be read: {error}.") from None
    if isinstance(key, RSAPublicKey) and key.key_size in RSA_BITS_ACCEPTED or isinstance(key, Ed25519PublicKey):
        return key
    raise errors.InvalidKey("The public key is of a type or size that is not supported.")


def _unbase64(raw: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True).strip()
    except binascii.Error:
        return None


def _comment(form: bytes) -> str:
    """The comment of an OpenSSH line; one printable line by construction, because guests read it as a file."""
    parts = form.decode("utf-8", "replace").split(None, 2)
    comment = parts[2].strip() if len(parts) == 3 and parts[0].startswith("ssh-") else ""
    return comment if comment.isprintable() else ""


def _describe(key: PublicKey, comment: str, ec2_fingerprint: str = "") -> ParsedKey:
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    rsa = isinstance(key, RSAPublicKey)
    return ParsedKey(
        type=KeyType.RSA if rsa else KeyType.ED25519,
        line=f"{line} {comment}".strip(),
        fingerprint=_colons(hashlib.md5(blob, usedforsecurity=False)),
        ec2_fingerprint=ec2_fingerprint or (_public_fingerprint(key) if rsa else _sha256(blob)))


def _public_fingerprint(key: PublicKey) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _colons(hashlib.md5(der, usedforsecurity=False))


def _private_fingerprint(key: RSAPrivateKey) -> str:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _colons(hashlib.sha1(der, usedforsecurity=False))


def _sha256(blob: bytes) -> str:
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def _colons(digest: "hashlib._Hash") -> str:
    return digest.digest().hex(":")
