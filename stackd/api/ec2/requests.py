"""One request of the query protocol as it came over HTTP, before anybody is believed.

``resource`` makes it from Twisted's request; ``sigv4`` and ``sigv2`` verify it; ``parsing`` reads its parameters.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from attrs import field, frozen
from twisted.web.http import Request

from stackd import errors

MAX_BODY = 1 << 20
MAX_FIELDS = 10_000
SIGNING_FIELDS = frozenset({
    "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires", "SecurityToken",
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
    "X-Amz-Security-Token", "X-Amz-Content-SHA256",
})
Pairs = tuple[tuple[str, str], ...]


@frozen(kw_only=True)
class WireRequest:
    """What was sent. ``headers`` has lower-case names, repeated ones joined by commas; the rest is as it came."""

    method: str
    path: str
    query_string: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: Pairs = field(repr=False)
    form: Pairs = field(repr=False)

    @property
    def fields(self) -> Pairs:
        """Query and form together, as the protocol sees them."""
        return self.query + self.form

    def first(self, name: str) -> str:
        """The first value of a field, or an empty text."""
        return next((value for key, value in self.fields if key == name), "")

    def parameters(self) -> dict[str, str]:
        """The fields that are neither about signing nor Action and Version; a repeated one is refused."""
        found: dict[str, str] = {}
        for name, value in self.fields:
            if name in SIGNING_FIELDS or name in ("Action", "Version"):
                continue
            if name in found:
                raise errors.InvalidValue(name, "the parameter is given more than once.")
            if "\0" in name or "\0" in value:
                raise errors.InvalidValue(name, "it has a NUL character.", remedy="Leave it out.")
            found[name] = value
        return found


def make(method: str, uri: str, headers: Mapping[str, str], body: bytes) -> WireRequest:
    """Split what was sent into its parts; ``uri`` is path and query as on the request line."""
    if len(body) > MAX_BODY:
        raise errors.PayloadTooLarge("The request body is larger than 1 MiB.", remedy="Send less.")
    path, _, query_string = uri.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    has_form = lower.get("content-type", "").split(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    return WireRequest(method=method, path=path, query_string=query_string, headers=lower, body=body,
                       query=_pairs(query_string), form=_pairs(_text(body)) if has_form else ())


def from_twisted(request: Request) -> WireRequest:
    """The same from Twisted's request, whose own guesses about arguments are not used."""
    headers = {name.decode("latin-1"): ",".join(value.decode("utf-8", "replace") for value in values)
               for name, values in request.requestHeaders.getAllRawHeaders()}
    body = request.content.read(MAX_BODY + 1) if request.content else b""
    return make(request.method.decode("ascii", "replace"), request.uri.decode("latin-1"), headers, body)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise errors.Malformed("The body is not UTF-8 text.") from None


def _pairs(text: str) -> Pairs:
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError:
        raise errors.Malformed("The parameters are not well-formed URL-encoded UTF-8 text.") from None
