"""Who is it: identity providers are in the entry point group ``stackd.identities``; ``sql`` is our own.

``daemons/parts.py`` makes the one that is named. The identity API and the operator's commands ask it for all that
``core.identity.Identity`` does, so one of another package is derived from that.
"""

from zope.interface import Interface

from stackd.model.callers import Caller
from stackd.model.identities import AccessKey


class IIdentity(Interface):
    """What every API needs to know a caller; the identity API itself uses the richer ``core.identity``."""

    async def caller_of_token(token: str, request_id: str) -> Caller:
        """The caller behind an ``X-Auth-Token``; raises ``NotAuthenticated``."""

    async def access_key(access: str) -> AccessKey:
        """The key with its secret, to verify a signature; raises ``UnknownAccessKey``. Never log it."""

    async def caller_of_key(key: AccessKey, request_id: str) -> Caller:
        """The caller behind an access key whose signature was verified; raises ``NotAuthenticated``."""
