"""SSH keys: what is made works with ssh-keygen's own reading of it, what is read is what clients send."""

import base64
import subprocess
from pathlib import Path

import pytest

from stackd import errors
from stackd.model.keypairs import KeyType
from stackd.rules import keys

RSA = ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDHtvfZ7bnBtN4nAq6RzyLEqXFlvCWWJ0iMWbCEfpqcVjAu8aRdmyFhzAD2hKrbkBzO12s"
       "HGDSFnLOoKwWIaUXNsUSLf1e4GQHSv6jCHQFFOh2DDEqYdC4M3LJi0vkHYkxKQRDbPSNuVdKkEhdAvVs1lMmf0BlZ0bxeAf4OTmOjXQ==")
ECDSA = ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRr"
         "YMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=")


def keygen(path: Path, content: str, *arguments: str) -> str:
    """What ssh-keygen says of a key file."""
    path.write_text(content)
    path.chmod(0o600)
    command = ["ssh-keygen", *arguments, "-f", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.mark.parametrize("type", list(KeyType))
def test_ssh_reads_what_was_made(tmp_path: Path, type: KeyType) -> None:
    made = keys.generate(type, "mine")
    assert keygen(tmp_path / "private", made.private_key, "-y").split()[:2] == made.public.line.split()[:2]
    assert made.public.line.endswith(" mine")
    shown = keygen(tmp_path / "public", made.public.line, "-l", "-E", "md5")
    assert f"MD5:{made.public.fingerprint} " in shown


def test_private_keys_have_the_form_aws_returns() -> None:
    assert keys.generate(KeyType.RSA, "").private_key.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert keys.generate(KeyType.ED25519, "").private_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")


def test_fingerprint_of_a_made_rsa_key_is_sha1_of_its_private_half(tmp_path: Path) -> None:
    made = keys.generate(KeyType.RSA, "")
    (tmp_path / "key").write_text(made.private_key)
    der = subprocess.run(["openssl", "pkcs8", "-in", str(tmp_path / "key"), "-outform", "DER", "-topk8", "-nocrypt"],
                         check=True, capture_output=True, timeout=30).stdout
    shown = subprocess.run(["openssl", "sha1", "-c"], input=der, check=True, capture_output=True, timeout=30).stdout
    assert shown.decode().strip().endswith(made.public.ec2_fingerprint)


def test_fingerprint_of_an_imported_rsa_key_is_md5_of_its_public_half() -> None:
    made = keys.generate(KeyType.RSA, "")
    read = keys.parse(made.public.line, "")
    assert read.fingerprint == made.public.fingerprint
    assert len(read.ec2_fingerprint) == 47 and read.ec2_fingerprint != made.public.ec2_fingerprint


def test_fingerprint_of_an_ed25519_key_is_sha256_in_both_cases(tmp_path: Path) -> None:
    made = keys.generate(KeyType.ED25519, "")
    assert keys.parse(made.public.line, "").ec2_fingerprint == made.public.ec2_fingerprint
    shown = keygen(tmp_path / "public", made.public.line, "-l")
    assert f"SHA256:{made.public.ec2_fingerprint.rstrip('=')} " in shown


@pytest.mark.parametrize("type", list(KeyType))
def test_every_form_clients_send_is_read(tmp_path: Path, type: KeyType) -> None:
    line = keys.generate(type, "").public.line
    pem = subprocess.run(["openssl", "pkey", "-pubin", "-in", "/dev/stdin"], timeout=30, capture_output=True,
                         input=_pem(line), check=True).stdout
    once = base64.b64encode(line.encode())
    for form in (line, line.encode(), f"{line}\n", once, once.decode(), pem, base64.b64encode(pem)):
        assert keys.parse(form, "").line == line


def _pem(line: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
    return load_ssh_public_key(line.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_comment_of_the_key_wins_over_ours() -> None:
    assert keys.parse(f"{RSA} ann at home", "name").line == f"{RSA} ann at home"
    assert keys.parse(RSA, "name").line == f"{RSA} name"


@pytest.mark.parametrize("junk", [
    "", " ", "junk", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa !!!!", "ssh-dss AAAAB3NzaC1kc3M=", ECDSA, f"{RSA}\n{RSA}",
    f'command="rm" {RSA}', "x" * 20000, b"\xff\xfe", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    base64.b64encode(b"junk").decode(), f"ssh-ed25519 {RSA.split()[1]}"])
def test_junk_is_refused_with_what_to_send(junk: str | bytes) -> None:
    with pytest.raises(errors.InvalidKey, match="ssh-ed25519"):
        keys.parse(junk, "")


def test_a_comment_cannot_carry_a_second_line_or_control_characters() -> None:
    assert keys.parse(f"{RSA} a\x1b[0m", "safe").line == f"{RSA} safe"
