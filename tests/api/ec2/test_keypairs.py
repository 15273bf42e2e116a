"""Key pairs through boto3."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from tests.api.ec2.bench import refused


def public_key():
    """A public key as ssh-keygen writes it."""
    return Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_generated_key_can_be_used(ec2, kind):
    """The private key is in the answer; the public one can be listed."""
    made = ec2.create_key_pair(KeyName="mine", KeyType=kind)
    material = made["KeyMaterial"].encode()
    private = load_ssh_private_key(material, None) if b"OPENSSH" in material else load_pem_private_key(material, None)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    [shown] = ec2.describe_key_pairs(KeyNames=["mine"], IncludePublicKey=True)["KeyPairs"]
    assert shown["PublicKey"].startswith(line)
    assert (shown["KeyPairId"], shown["KeyType"]) == (made["KeyPairId"], kind)
    assert shown["KeyFingerprint"] == made["KeyFingerprint"] and shown["CreateTime"]


def test_an_imported_key(ec2):
    """boto3 writes the material in base64 itself; tags go with it."""
    made = ec2.import_key_pair(KeyName="own", PublicKeyMaterial=public_key(), TagSpecifications=[
        {"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}])
    [shown] = ec2.describe_key_pairs(KeyPairIds=[made["KeyPairId"]])["KeyPairs"]
    assert shown["KeyName"] == "own" and shown["Tags"] == [{"Key": "a", "Value": "b"}]
    assert ec2.describe_key_pairs(Filters=[{"Name": "tag:a", "Values": ["b"]}])["KeyPairs"] == [shown]
    assert ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": ["o?n"]}])["KeyPairs"] == [shown]
    assert ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": ["own2"]}])["KeyPairs"] == []


def test_deleting_a_key_that_is_not_there_is_no_error(ec2):
    """By name and by id."""
    made = ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    assert ec2.delete_key_pair(KeyPairId=made["KeyPairId"])["Return"] is True
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert ec2.delete_key_pair(KeyName="mine")["Return"] is True
    assert refused(ec2.delete_key_pair) == "MissingParameter"


def test_what_is_refused(ec2):
    """In AWS's codes."""
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    assert refused(ec2.create_key_pair, KeyName="mine") == "InvalidKeyPair.Duplicate"
    assert refused(ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=public_key()) == "InvalidKeyPair.Duplicate"
    assert refused(ec2.import_key_pair, KeyName="bad", PublicKeyMaterial=b"ssh-rsa nonsense") == "InvalidKey.Format"
    assert refused(ec2.create_key_pair, KeyName="x", KeyFormat="ppk") == "UnsupportedOperation"
    assert refused(ec2.create_key_pair, KeyName=" x ") == "InvalidParameterValue"
    assert refused(ec2.describe_key_pairs, KeyNames=["nobody"]) == "InvalidKeyPair.NotFound"
    assert refused(ec2.describe_key_pairs, KeyPairIds=["key-" + "0" * 17]) == "InvalidKeyPair.NotFound"
    assert refused(ec2.describe_key_pairs, KeyPairIds=["mine"]) == "InvalidKeyPair.Malformed"
    assert len(ec2.describe_key_pairs()["KeyPairs"]) == 1
