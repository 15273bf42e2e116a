"""AWS Signature Version 4, in the Authorization header or in the query (presigned URLs).

``read`` finds out who claims to have signed; ``Claim.check`` computes the signature again from the secret.
``authentication`` calls both. See "Signing AWS API requests" in the AWS General Reference for the algorithm.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, unquote

from attrs import field, frozen

from stackd import errors
from stackd.api.ec2.credentials import check_fresh, compare, parse_date
from stackd.api.ec2.requests import Pairs, WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
STAMP = "%Y%m%dT%H%M%SZ"
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
SERVICES = frozenset({"ec2", "sts"})
MAX_PRESIGNED = 7 * 24 * 3600
_SPACES = re.compile(r" +")
_PART = re.compile(r"\s*(\w+)=([^,]*)")


@frozen(kw_only=True)
class Scope:
    """What a credential is bound to: the day as ``YYYYMMDD``, region and service."""

    access: str
    day: str
    region: str
    service: str

    def __str__(self) -> str:
        """The scope as it is signed."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


@frozen(kw_only=True)
class Claim:
    """A Version 4 signature as read from a request."""

    request: WireRequest = field(repr=False)
    scope: Scope
    date: datetime
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    lifetime: int
    query: Pairs = field(repr=False)
    """The query without the signature itself."""

    @property
    def access(self) -> str:
        """The access key said to have signed."""
        return self.scope.access

    def check(self, secret: str, now: float) -> None:
        """Raise ``SignatureMismatch`` or ``RequestExpired`` unless all is well."""
        key = signing_key(secret, self.scope.day, self.scope.region, self.scope.service)
        digest = hashlib.sha256(self.canonical_request().encode()).hexdigest()
        text = "\n".join((ALGORITHM, self.date.strftime(STAMP), str(self.scope), digest))
        compare(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), self.signature)
        check_fresh(self.date, now, self.lifetime)

    def canonical_request(self) -> str:
        """The request in the one form both sides sign."""
        headers = "".join(f"{name}:{_SPACES.sub(' ', self.request.headers[name].strip())}\n"
                          for name in self.signed_headers)
        return "\n".join((self.request.method, quote(unquote(self.request.path) or "/", safe="/~"),
                          canonical_query(self.query), headers, ";".join(self.signed_headers),
                          hashlib.sha256(self.request.body).hexdigest()))


@lru_cache(maxsize=1024)
def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key a secret signs with on one day; kept, because four rounds of HMAC a request add up."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values percent-encoded, sorted, joined."""
    return "&".join(f"{name}={value}" for name, value in sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs))


def read(request: WireRequest) -> Claim | None:
    """The claim of a request signed in either way; None when it carries no Version 4 signature."""
    if request.headers.get("authorization", "").startswith(ALGORITHM):
        return _in_header(request)
    return _in_query(request) if any(name == "X-Amz-Signature" for name, _ in request.query) else None


def _in_header(request: WireRequest) -> Claim:
    header = request.headers["authorization"].removeprefix(ALGORITHM)
    parts = {match[1]: match[2].strip() for match in _PART.finditer(header)}
    missing = {"Credential", "SignedHeaders", "Signature"} - parts.keys()
    if missing:
        raise errors.MissingValue(f"{min(missing)} in the Authorization header")
    text = request.headers.get("x-amz-date") or request.headers.get("date")
    if not text:
        raise errors.MissingValue("the header X-Amz-Date")
    date = parse_date(text, STAMP, HTTP_DATE)
    required = {"host", "x-amz-date"} if "x-amz-date" in request.headers else {"host", "date"}
    return Claim(request=request, scope=_scope(parts["Credential"], date), date=date, query=request.query,
                 signed_headers=_signed_headers(parts["SignedHeaders"], request, required),
                 signature=parts["Signature"], lifetime=15 * 60)


def _in_query(request: WireRequest) -> Claim:
    values = dict(request.query)
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"):
        if not values.get(name):
            raise errors.MissingValue(name)
    if values.get("X-Amz-Algorithm") != ALGORITHM:
        raise errors.InvalidValue("X-Amz-Algorithm", f"only {ALGORITHM} is supported.")
    expires = values["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 6 and 1 <= int(expires) <= MAX_PRESIGNED):
        raise errors.InvalidValue("X-Amz-Expires", f"it must be between 1 and {MAX_PRESIGNED} seconds.")
    date = parse_date(values["X-Amz-Date"], STAMP)
    return Claim(request=request, scope=_scope(values["X-Amz-Credential"], date), date=date,
                 signed_headers=_signed_headers(values["X-Amz-SignedHeaders"], request, {"host"}),
                 signature=values["X-Amz-Signature"], lifetime=int(expires),
                 query=tuple(pair for pair in request.query if pair[0] != "X-Amz-Signature"))


def _scope(credential: str, date: datetime) -> Scope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise errors.SignatureMismatch("The credential must be ACCESS_KEY/DATE/REGION/SERVICE/aws4_request.")
    access, day, region, service, _ = parts
    if day != date.strftime("%Y%m%d"):
        raise errors.SignatureMismatch("The day of the credential is not the day of the request.")
    if service not in SERVICES:
        raise errors.SignatureMismatch(f"The credential is scoped to the service {service!r}, not to ec2 or sts.")
    return Scope(access=access, day=day, region=region, service=service)


def _signed_headers(text: str, request: WireRequest, required: set[str]) -> tuple[str, ...]:
    names = tuple(sorted(name.strip().lower() for name in text.split(";") if name.strip()))
    for name in sorted(required - set(names)):
        raise errors.SignatureMismatch(f"The header {name} must be signed.")
    for name in names:
        if name not in request.headers:
            raise errors.SignatureMismatch(f"The signed header {name} was not sent.")
    return names
