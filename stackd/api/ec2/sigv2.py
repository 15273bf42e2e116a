"""AWS Signature Version 2, in the query or the form: what libcloud's EC2 driver still signs.

``read`` finds the claim; ``Claim.check`` computes the signature again over every other field.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import field, frozen

from stackd import errors
from stackd.api.ec2.credentials import check_fresh, compare, parse_date
from stackd.api.ec2.requests import WireRequest
from stackd.api.ec2.sigv4 import canonical_query

METHODS: dict[str, Callable[..., Any]] = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}
STAMPS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S")


@frozen(kw_only=True)
class Claim:
    """A Version 2 signature as read from a request; ``expires`` is set when an end was signed, not a beginning."""

    request: WireRequest = field(repr=False)
    access: str
    method: str
    signature: str = field(repr=False)
    timestamp: datetime | None
    expires: datetime | None

    def check(self, secret: str, now: float) -> None:
        """Raise ``SignatureMismatch`` or ``RequestExpired`` unless all is well."""
        fields = ((name, value) for name, value in self.request.fields if name != "Signature")
        text = "\n".join((self.request.method, self.request.headers.get("host", "").lower(),
                          self.request.path or "/", canonical_query(fields)))
        digest = hmac.new(secret.encode(), text.encode(), METHODS[self.method]).digest()
        compare(base64.b64encode(digest).decode(), self.signature)
        if self.timestamp is not None:
            check_fresh(self.timestamp, now)
        elif self.expires is not None and now > self.expires.timestamp():
            raise errors.RequestExpired("Request has expired.")


def read(request: WireRequest) -> Claim | None:
    """The claim of a request; None when it carries no Version 2 signature."""
    access, signature = request.first("AWSAccessKeyId"), request.first("Signature")
    if not access and not signature:
        return None
    for name in ("AWSAccessKeyId", "Signature"):
        if not request.first(name):
            raise errors.MissingValue(name)
    if request.first("SignatureVersion") != "2":
        raise errors.InvalidValue("SignatureVersion", "only versions 2 and 4 are supported.")
    method = request.first("SignatureMethod")
    if method not in METHODS:
        raise errors.InvalidValue("SignatureMethod", f"it must be one of {', '.join(METHODS)}.")
    timestamp, expires = request.first("Timestamp"), request.first("Expires")
    if bool(timestamp) == bool(expires):
        raise errors.MissingValue("either Timestamp or Expires")
    return Claim(request=request, access=access, method=method, signature=signature,
                 timestamp=parse_date(timestamp, *STAMPS) if timestamp else None,
                 expires=parse_date(expires, *STAMPS) if expires else None)
