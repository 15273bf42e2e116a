"""Tokens and secrets as encrypted text: the one place that holds the cloud's Fernet keys.

A token is a Fernet text around 51 to 99 bytes: who, where, how, from when to when, and an audit id. It needs no row
anywhere. ``core.identity`` issues and checks them; ``core.identity_credentials`` keeps access keys' secrets here.
"""

import base64
import struct
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from stackd import errors
from stackd.model.identities import Token

METHODS = ("password", "token", "application_credential", "ec2credential")
_FIXED = struct.Struct(">ccB16sdd16s")
_TOKEN, _SECRET = b"t", b"s"
_OPTIONAL = ("project_id", "application_credential_id")


def new_key() -> str:
    """A key for :class:`Keyring`, as text to keep in a file of mode 0600."""
    return Fernet.generate_key().decode()


class Keyring:
    """Encrypts with the first key, decrypts with any: to rotate, put the new key first and drop the old one later."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        """``keys`` are texts of :func:`new_key`; raises ``BadConfiguration`` for none or a broken one."""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise errors.BadConfiguration(f"The identity keys cannot be used: {error}") from None

    def seal_token(self, token: Token) -> str:
        """A token as the text for ``X-Auth-Token``; its roles are not part of it."""
        parts = [_binary(getattr(token, name)) for name in _OPTIONAL]
        parent = _audit_binary(token.parent_audit_id)
        methods = sum(1 << METHODS.index(method) for method in token.methods)
        flags = sum(1 << number for number, part in enumerate((*parts, parent)) if part)
        fixed = _FIXED.pack(_TOKEN, bytes([flags]), methods, bytes.fromhex(token.user_id), token.issued_at,
                            token.expires_at, _audit_binary(token.audit_id))
        return self._fernet.encrypt(b"".join((fixed, *parts, parent))).decode().rstrip("=")

    def open_token(self, text: str) -> Token:
        """The token in a text; raises ``NotAuthenticated`` for anything that is not one of ours."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            return _unpack(self._fernet.decrypt(padded))
        except (InvalidToken, ValueError, struct.error):
            raise refused() from None

    def seal_secret(self, secret: str) -> str:
        """A secret as kept in the database."""
        return self._fernet.encrypt(_SECRET + secret.encode()).decode()

    def open_secret(self, text: str) -> str:
        """The secret again; raises ``BadConfiguration`` when its key is no longer on the ring."""
        try:
            return self._fernet.decrypt(text.encode())[1:].decode()
        except InvalidToken:
            raise errors.BadConfiguration(
                "A stored secret cannot be decrypted: its key was removed from the identity keys.") from None


def refused() -> errors.NotAuthenticated:
    """The one answer for every failed authentication, so that nothing can be learned from it."""
    return errors.NotAuthenticated("The request you have made requires authentication.")


def audit_id(id: str) -> str:
    """A 32-digit id in the 22 characters Keystone uses for audit ids."""
    return base64.urlsafe_b64encode(bytes.fromhex(id)).decode().rstrip("=")


def _unpack(plain: bytes) -> Token:
    kind, flags, methods, user, issued_at, expires_at, audit = _FIXED.unpack_from(plain)
    if kind != _TOKEN or len(plain) != _FIXED.size + 16 * flags[0].bit_count():
        raise ValueError("not a token")
    rest = [plain[start:start + 16] for start in range(_FIXED.size, len(plain), 16)]
    project, credential, parent = (rest.pop(0) if flags[0] >> number & 1 else b"" for number in range(3))
    return Token(user_id=user.hex(), project_id=project.hex(), application_credential_id=credential.hex(), roles=(),
                 methods=tuple(name for number, name in enumerate(METHODS) if methods >> number & 1),
                 issued_at=issued_at, expires_at=expires_at, audit_id=audit_id(audit.hex()),
                 parent_audit_id=audit_id(parent.hex()))


def _binary(id: str) -> bytes:
    return bytes.fromhex(id)


def _audit_binary(audit: str) -> bytes:
    return base64.urlsafe_b64decode(audit + "=" * (-len(audit) % 4))
