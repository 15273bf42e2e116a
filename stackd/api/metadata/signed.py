"""Finds the instance behind a signed request: the cloud's metadata port, behind a proxy that knows who asks.

As with Nova behind Neutron's metadata proxy, ``X-Instance-ID`` names the instance and ``X-Instance-ID-Signature`` is
the HMAC-SHA256 of that text under a shared secret. The daemon hands :meth:`SignedInstances.find` to the metadata
service's resource, so tree and answers are those of the hosts.
"""

import hmac
from collections.abc import Awaitable, Callable
from hashlib import sha256

from twisted.web.http import Request

from stackd import errors
from stackd.model.assignments import InstanceAssignment
from stackd.model.ids import parse_uuid

Show = Callable[[str], Awaitable[InstanceAssignment | None]]


def signature(secret: bytes, instance_id: str) -> str:
    """The signature a proxy sends beside an instance's id, in lower-case hex."""
    return hmac.new(secret, instance_id.encode(), sha256).hexdigest()


class SignedInstances:
    """The finder of the cloud's metadata port."""

    def __init__(self, secret: bytes, show: Show) -> None:
        """``show`` gives an instance with its ports by its 32-digit id, None when there is none."""
        self._secret = secret
        self._show = show

    async def find(self, request: Request) -> InstanceAssignment | None:
        """The instance named; raises ``MissingValue`` and ``NotAllowed``."""
        named = request.getHeader("x-instance-id")
        signed = request.getHeader("x-instance-id-signature")
        if not named or not signed:
            raise errors.MissingValue("X-Instance-ID and X-Instance-ID-Signature",
                                      remedy="Ask through the metadata proxy, or from inside a guest.")
        if not hmac.compare_digest(signature(self._secret, named).encode(), signed.encode()):
            raise errors.NotAllowed("The signature of X-Instance-ID is not valid.",
                                    remedy="Give the proxy and this service the same secret.")
        id = parse_uuid(named)
        found = await self._show(id) if id else None
        tenant = request.getHeader("x-tenant-id")
        if found is not None and tenant is not None and parse_uuid(tenant) != found.instance.project_id:
            return None
        return found
