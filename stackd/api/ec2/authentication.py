"""From a request to its caller: read the signature, fetch the key, verify, then ask who the key belongs to.

Called by ``resource`` once per request. The credential must be scoped to the service and region it is used with.
"""

from stackd import errors
from stackd.api.ec2 import sigv2, sigv4
from stackd.api.ec2.credentials import Claim
from stackd.api.ec2.requests import WireRequest
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller

STS_GLOBAL = "us-east-1"
"""Clients sign for this region when they speak to the global STS endpoint."""


async def authenticate(request: WireRequest, identity: IIdentity, region: str, service: str, now: float,
                       request_id: str) -> Caller:
    """The caller behind a signed request to ``service``; raises the ``NotAuthenticated`` leaves."""
    claim: Claim | None = sigv4.read(request) or sigv2.read(request)
    if claim is None:
        raise errors.NotAuthenticated("Request is missing an authentication token: it is not signed.")
    if isinstance(claim, sigv4.Claim):
        _check_scope(claim.scope, region, service)
    key = await identity.access_key(claim.access)
    claim.check(key.secret, now)
    return await identity.caller_of_key(key, request_id)


def _check_scope(scope: sigv4.Scope, region: str, service: str) -> None:
    if scope.service != service:
        raise errors.SignatureMismatch(f"Credential should be scoped to the service {service}, not {scope.service}.")
    regions = (region, STS_GLOBAL) if service == "sts" else (region,)
    if scope.region not in regions:
        raise errors.SignatureMismatch(f"Credential should be scoped to the region {region}, not {scope.region}.",
                                       remedy=f"Set the client's region to {region}.")
