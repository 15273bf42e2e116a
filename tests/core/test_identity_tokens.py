"""Tokens as text: all that goes in comes out, and nothing else is taken for a token."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from stackd import errors
from stackd.core.identity_tokens import METHODS, Keyring, audit_id, new_key
from stackd.model.identities import Token

IDS = st.uuids(version=4).map(lambda each: each.hex)
TIMES = st.floats(0, 2**40)
TOKENS = st.builds(
    Token, user_id=IDS, project_id=st.just("") | IDS, roles=st.just(()), issued_at=TIMES, expires_at=TIMES,
    methods=st.sets(st.sampled_from(METHODS), min_size=1).map(lambda some: tuple(m for m in METHODS if m in some)),
    audit_id=IDS.map(audit_id), parent_audit_id=st.just("") | IDS.map(audit_id),
    application_credential_id=st.just("") | IDS)
KEY = new_key()
RING = Keyring([KEY])


@given(TOKENS)
def test_all_that_goes_in_comes_out(token: Token) -> None:
    text = RING.seal_token(token)
    assert RING.open_token(text) == token
    assert len(text) <= 255 and text.isascii() and "=" not in text


@pytest.mark.parametrize("junk", ["", "x", "gAAAAA", "é", "=" * 100, "a" * 10_000, "\x00", "gAAAAABh" + "A" * 152])
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises(errors.NotAuthenticated):
        RING.open_token(junk)


@pytest.mark.parametrize("content", [b"", b"t", b"t" + b"x" * 49, b"x" * 51, b"t\x07" + b"x" * 49])
def test_other_content_under_our_key_is_no_token(content: bytes) -> None:
    with pytest.raises(errors.NotAuthenticated):
        RING.open_token(Fernet(KEY).encrypt(content).decode())


def test_a_sealed_secret_is_no_token_and_opens_only_with_its_key() -> None:
    sealed = RING.seal_secret("s" * 60)
    assert RING.open_secret(sealed) == "s" * 60
    with pytest.raises(errors.NotAuthenticated):
        RING.open_token(sealed)
    with pytest.raises(errors.BadConfiguration, match="identity keys"):
        Keyring([new_key()]).open_secret(sealed)
