"""What is told of a request, and what is not."""

import pytest

from stackd.api.sites import LONGEST, MASK, is_secret, shown


@pytest.mark.parametrize(("uri", "told"), [
    (b"/servers", "/servers"), (b"/servers?limit=5&name=a%20b", "/servers?limit=5&name=a%20b"),
    (b"/?Action=A&X-Amz-Signature=abc", f"/?Action=A&X-Amz-Signature={MASK}"),
    (b"/?Signature=abc&UserData=abc", f"/?Signature={MASK}&UserData={MASK}"), (b"/\xff?\xff", "/\ufffd?%EF%BF%BD="),
    (b"/a?token=x;password=y", f"/a?token={MASK}")])
def test_secrets_of_the_query_are_masked(uri: bytes, told: str) -> None:
    """By the names of their parameters."""
    assert shown(uri) == told


def test_a_line_is_not_endless() -> None:
    """However long the path."""
    assert len(shown(b"/" + b"x" * 9000 + b"?" + b"y" * 9000)) == LONGEST


@pytest.mark.parametrize("name", ["X-Amz-Security-Token", "X-Amz-Credential", "user_data", "Password", "NextToken"])
def test_names_of_secrets(name: str) -> None:
    """In any spelling."""
    assert is_secret(name)
