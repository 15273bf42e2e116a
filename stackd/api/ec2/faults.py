"""Errors in AWS's vocabulary: one table from the tree of ``errors`` to HTTP status and code, and their XML.

Codes that depend on the kind of resource or quota have a table of their own beside it. ``resource`` calls
:func:`render`; messages show ids as EC2 writes them.
"""

import re
from collections.abc import Callable

from stackd import errors
from stackd.api.ec2.rendering import HEAD, escape
from stackd.model import ids, kinds

TABLE: dict[type[errors.StackdError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, "AuthFailure"),
    errors.SignatureMismatch: (403, "SignatureDoesNotMatch"),
    errors.UnknownAccessKey: (401, "AuthFailure"),
    errors.RequestExpired: (400, "RequestExpired"),
    errors.NotAllowed: (403, "UnauthorizedOperation"),
    errors.DryRunSucceeded: (412, "DryRunOperation"),
    errors.BadRequest: (400, "InvalidRequest"),
    errors.Malformed: (400, "MalformedQueryString"),
    errors.InvalidValue: (400, "InvalidParameterValue"),
    errors.MissingValue: (400, "MissingParameter"),
    errors.UnknownField: (400, "UnknownParameter"),
    errors.MalformedId: (400, "InvalidID"),
    errors.ConflictingValues: (400, "InvalidParameterCombination"),
    errors.InvalidImage: (400, "InvalidAMIID.Unavailable"),
    errors.InvalidKey: (400, "InvalidKey.Format"),
    errors.InvalidMarker: (400, "InvalidNextToken"),
    errors.PayloadTooLarge: (413, "RequestEntityTooLarge"),
    errors.UnsupportedMediaType: (415, "UnsupportedMediaType"),
    errors.UnsupportedVersion: (400, "NoSuchVersion"),
    errors.MethodNotAllowed: (405, "UnsupportedHttpVerb"),
    errors.NotSupported: (400, "UnsupportedOperation"),
    errors.UnknownAction: (400, "InvalidAction"),
    errors.NotFound: (400, "InvalidResourceID.NotFound"),
    errors.Conflict: (400, "IncorrectState"),
    errors.AlreadyExists: (400, "ResourceAlreadyExists"),
    errors.InUse: (400, "DependencyViolation"),
    errors.WrongState: (400, "IncorrectState"),
    errors.SegmentInUse: (400, "InvalidParameterValue"),
    errors.AddressInUse: (400, "InvalidIPAddress.InUse"),
    errors.NoMoreAddresses: (400, "InsufficientAddressCapacity"),
    errors.TokenReused: (400, "IdempotentParameterMismatch"),
    errors.TokenSpent: (400, "IdempotentInstanceTerminated"),
    errors.ConcurrentUpdate: (503, "RequestLimitExceeded"),
    errors.QuotaExceeded: (400, "ResourceLimitExceeded"),
    errors.NoCapacity: (500, "InsufficientInstanceCapacity"),
    errors.Unavailable: (503, "Unavailable"),
    errors.CallTimedOut: (503, "Unavailable"),
    errors.NoSuchTarget: (503, "Unavailable"),
    errors.OutcomeUnknown: (503, "Unavailable"),
    errors.Overloaded: (503, "RequestLimitExceeded"),
    errors.DatabaseUnavailable: (503, "Unavailable"),
    errors.BadConfiguration: (500, "InternalError"),
    errors.Internal: (500, "InternalError"),
    errors.DriverFailure: (500, "InternalError"),
    errors.TransientFailure: (503, "Unavailable"),
    errors.PermanentFailure: (500, "InternalError"),
    errors.ImageVanished: (400, "InvalidAMIID.Unavailable"),
}

STS: dict[type[errors.StackdError], tuple[int, str]] = {
    errors.NotAuthenticated: (403, "MissingAuthenticationToken"),
    errors.UnknownAccessKey: (403, "InvalidClientTokenId"),
    errors.SignatureMismatch: (403, "SignatureDoesNotMatch"),
    errors.NotAllowed: (403, "AccessDenied"),
    errors.InvalidValue: (400, "ValidationError"),
    errors.MissingValue: (400, "MissingParameter"),
}
"""Where STS has other words than EC2."""

NOUNS = {
    kinds.INSTANCE: "InvalidInstanceID",
    kinds.IMAGE: "InvalidAMIID",
    kinds.KEYPAIR: "InvalidKeyPair",
    kinds.NETWORK: "InvalidVpcID",
    kinds.SUBNET: "InvalidSubnetID",
    kinds.PORT: "InvalidNetworkInterfaceID",
    kinds.FLOATING_IP: "InvalidAllocationID",
    kinds.SECURITY_GROUP: "InvalidGroup",
    kinds.SECURITY_GROUP_RULE: "InvalidSecurityGroupRuleId",
    kinds.RESERVATION: "InvalidReservationID",
}
MALFORMED = {kinds.SECURITY_GROUP: "InvalidGroupId", kinds.NETWORK: "InvalidVpcID", kinds.KEYPAIR: "InvalidKeyPair"}
QUOTAS = {
    "instances": "InstanceLimitExceeded", "cores": "VcpuLimitExceeded", "ram": "InstanceLimitExceeded",
    "key_pairs": "KeyPairLimitExceeded", "metadata_items": "TagLimitExceeded", "networks": "VpcLimitExceeded",
    "subnets": "SubnetLimitExceeded", "ports": "NetworkInterfaceLimitExceeded",
    "floating_ips": "AddressLimitExceeded", "security_groups": "SecurityGroupLimitExceeded",
    "security_group_rules": "RulesPerSecurityGroupLimitExceeded",
}
_INTERNAL_ID = re.compile(r"\b[0-9a-f]{32}\b")


def _not_found(error: errors.StackdError) -> str | None:
    kind = getattr(error, "kind", "")
    if kind == kinds.SECURITY_GROUP_RULE and not getattr(error, "id", "").startswith("sgr-"):
        return "InvalidPermission.NotFound"
    if kind == kinds.FLOATING_IP and "." in getattr(error, "id", ""):
        return "InvalidAddress.NotFound"
    if kind in (kinds.FLAVOR, kinds.ZONE):
        return "InvalidParameterValue"
    if kind == "association":
        return "InvalidAssociationID.NotFound"
    return f"{NOUNS[kind]}.NotFound" if kind in NOUNS else None


def _malformed(error: errors.StackdError) -> str | None:
    kind = getattr(error, "kind", "")
    noun = MALFORMED.get(kind) or NOUNS.get(kind)
    return f"{noun}.Malformed" if noun else None


def _duplicate(error: errors.StackdError) -> str | None:
    return {kinds.KEYPAIR: "InvalidKeyPair.Duplicate", kinds.SECURITY_GROUP: "InvalidGroup.Duplicate",
            kinds.SECURITY_GROUP_RULE: "InvalidPermission.Duplicate"}.get(getattr(error, "kind", ""))


def _in_use(error: errors.StackdError) -> str | None:
    kind, by = getattr(error, "kind", ""), getattr(error, "by", "")
    if kind == kinds.SECURITY_GROUP and "default" in by:
        return "CannotDelete"
    if kind == kinds.FLOATING_IP:
        return "Resource.AlreadyAssociated" if by.startswith("port ") else "InvalidIPAddress.InUse"
    return "InvalidNetworkInterface.InUse" if kind == kinds.PORT else None


def _wrong_state(error: errors.StackdError) -> str | None:
    return "IncorrectInstanceState" if getattr(error, "kind", "") == kinds.INSTANCE else None


def _quota(error: errors.StackdError) -> str | None:
    return QUOTAS.get(getattr(error, "resource", ""))


FINER: dict[type[errors.StackdError], Callable[[errors.StackdError], str | None]] = {
    errors.NotFound: _not_found, errors.MalformedId: _malformed, errors.AlreadyExists: _duplicate,
    errors.InUse: _in_use, errors.WrongState: _wrong_state, errors.QuotaExceeded: _quota,
}
"""Errors whose code depends on what they carry; None means the table's."""


def status_and_code(error: errors.StackdError, service: str = "ec2") -> tuple[int, str]:
    """The HTTP status and AWS's code of an error."""
    own = STS if service == "sts" else {}
    for cls in type(error).__mro__:
        if cls in own or cls in TABLE:
            status, code = own.get(cls) or TABLE[cls]
            finer = FINER.get(cls)
            return status, (finer(error) if finer else None) or code
    return 500, "InternalError"


def message(error: errors.StackdError) -> str:
    """The words for the user, with inner ids written as EC2 writes them."""
    kind = getattr(error, "kind", "")
    if kind not in ids.EC2_PREFIXES:
        return str(error)
    return _INTERNAL_ID.sub(lambda match: ids.ec2_id(kind, match[0]), str(error))


def render(error: errors.StackdError, request_id: str, service: str, namespace: str) -> tuple[int, bytes]:
    """Status and body in the form of the service: EC2's own, or the query protocol's for STS."""
    status, code = status_and_code(error, service)
    text, code = escape(message(error)), escape(code)
    if service == "sts":
        kind = "Sender" if status < 500 else "Receiver"
        body = (f'{HEAD}<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{code}</Code>'
                f"<Message>{text}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>")
    else:
        body = (f"{HEAD}<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors>"
                f"<RequestID>{request_id}</RequestID></Response>")
    return status, body.encode()
