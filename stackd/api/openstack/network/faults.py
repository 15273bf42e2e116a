"""Errors in Neutron's vocabulary: ``{"NeutronError": {"type", "message", "detail"}}``."""

from typing import Any

from stackd import errors
from stackd.api.openstack import faults
from stackd.model import ids, kinds

_WORDS = {kinds.NETWORK: "Network", kinds.SUBNET: "Subnet", kinds.PORT: "Port", kinds.FLOATING_IP: "FloatingIP",
          kinds.SECURITY_GROUP: "SecurityGroup", kinds.SECURITY_GROUP_RULE: "SecurityGroupRule",
          "mac_address": "MacAddress"}
_TYPES: dict[type[errors.StackdError], str] = {
    errors.SegmentInUse: "VlanIdInUse",
    errors.AddressInUse: "IpAddressInUse", errors.NoMoreAddresses: "IpAddressGenerationFailure",
    errors.InvalidValue: "InvalidInput", errors.ConflictingValues: "InvalidInput",
    errors.MissingValue: "InvalidInput", errors.NotAllowed: "PolicyNotAuthorized",
    errors.QuotaExceeded: "OverQuota", errors.Malformed: "HTTPBadRequest", errors.NotSupported: "InvalidInput"}
# Neutron's own statuses where they differ from Nova's.
_STATUSES: dict[type[errors.StackdError], int] = {errors.QuotaExceeded: 409, errors.NotSupported: 400}


def render(error: errors.StackdError) -> tuple[int, dict[str, Any]]:
    """Status and body as Neutron writes them."""
    status, _ = faults.status_and_name(error)
    return _STATUSES.get(type(error), status), {
        "NeutronError": {"type": _type(error), "message": _message(error), "detail": ""}}


def _type(error: errors.StackdError) -> str:
    if isinstance(error, errors.NotFound):
        return f"{_WORDS[error.kind]}NotFound" if error.kind in _WORDS else "HTTPNotFound"
    if isinstance(error, errors.AlreadyExists):
        return "MacAddressInUse" if error.kind == "mac_address" else f"{_WORDS.get(error.kind, '')}Exists"
    if isinstance(error, errors.InUse):
        return f"{_WORDS.get(error.kind, '')}InUse"
    return _TYPES.get(type(error), type(error).__name__)


def _message(error: errors.StackdError) -> str:
    """The words, with the id as this API writes it."""
    id = getattr(error, "id", "")
    known = ids.parse_uuid(id) if id else None
    return str(error).replace(id, ids.dashed(known)) if known else str(error)
