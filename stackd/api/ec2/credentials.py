"""What a signed request claims before anything is verified: which key signed it, and how to check that.

``authenticate`` reads the claim from a request, asks for the key's secret and then has the claim checked. The two
ways of signing are ``sigv4`` (boto3, awscli, Ansible, Terraform) and ``sigv2`` (libcloud).
"""

import hmac
from datetime import UTC, datetime
from typing import Protocol

from stackd import errors

MAX_SKEW = 15 * 60
"""Seconds a request's date may be off, either way, as AWS allows."""


class Claim(Protocol):
    """A signature that was read but not yet verified."""

    @property
    def access(self) -> str:
        """The access key said to have signed."""

    def check(self, secret: str, now: float) -> None:
        """Raise ``SignatureMismatch`` or ``RequestExpired`` unless ``secret`` signed it and it is still fresh."""


def parse_date(text: str, *formats: str) -> datetime:
    """A date of a request in one of the formats, as UTC; raises ``InvalidValue``."""
    for form in formats:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise errors.InvalidValue("the date of the request", f"{text!r} is not a timestamp.",
                              remedy="Write it like 20260131T235959Z.")


def check_fresh(date: datetime, now: float, lifetime: float = MAX_SKEW) -> None:
    """Raise ``RequestExpired`` when ``now`` (epoch seconds) is outside [date - skew, date + lifetime]."""
    age = now - date.timestamp()
    if age > lifetime:
        raise errors.RequestExpired(f"Request has expired: it was signed {age:.0f} seconds ago.")
    if age < -MAX_SKEW:
        raise errors.RequestExpired(f"Request is not valid yet: it was signed {-age:.0f} seconds in the future.")


def compare(expected: str, given: str) -> None:
    """Raise ``SignatureMismatch`` unless both are equal, in constant time."""
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise errors.SignatureMismatch(
            "The request signature we calculated does not match the signature you provided.")
