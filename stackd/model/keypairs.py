"""Key pairs: public keys of a user, put into guests at launch."""

from enum import Enum

from attrs import frozen


class KeyType(Enum):
    """Kinds of key; the values are EC2's words."""

    RSA = "rsa"
    ED25519 = "ed25519"


@frozen(kw_only=True)
class KeyPair:
    """A user's public key. ``fingerprint`` is OpenStack's MD5 of the public key blob, colon separated;

    ``ec2_fingerprint`` is what AWS shows: for generated RSA keys SHA-1 of the private key's DER, for imported
    ones MD5 of the public key's DER, for ed25519 base64 SHA-256.
    """

    id: str
    user_id: str
    project_id: str
    name: str
    type: KeyType
    public_key: str
    fingerprint: str
    ec2_fingerprint: str
    created_at: float = 0.0


@frozen(kw_only=True)
class NewKeyPair:
    """A key pair just generated, with the private key (PEM or OpenSSH text) that is shown once and never kept."""

    keypair: KeyPair
    private_key: str
