"""Errors in OpenStack's vocabulary: one table from the tree of ``errors`` to status and fault name.

``compute`` bodies are ``{"itemNotFound": {"code", "message"}}``, ``identity`` bodies
``{"error": {"code", "message", "title"}}``, ``image`` bodies ``{"code", "title", "message"}``; Neutron's, which know
more words, are in ``network/faults.py``.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from stackd import errors

TABLE: dict[type[errors.StackdError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, "unauthorized"),
    errors.SignatureMismatch: (401, "unauthorized"),
    errors.UnknownAccessKey: (401, "unauthorized"),
    errors.RequestExpired: (401, "unauthorized"),
    errors.NotAllowed: (403, "forbidden"),
    errors.DryRunSucceeded: (412, "preconditionFailed"),
    errors.BadRequest: (400, "badRequest"),
    errors.Malformed: (400, "badRequest"),
    errors.InvalidValue: (400, "badRequest"),
    errors.MissingValue: (400, "badRequest"),
    errors.UnknownField: (400, "badRequest"),
    errors.MalformedId: (400, "badRequest"),
    errors.ConflictingValues: (400, "badRequest"),
    errors.InvalidImage: (400, "badRequest"),
    errors.InvalidKey: (400, "badRequest"),
    errors.InvalidMarker: (400, "badRequest"),
    errors.PayloadTooLarge: (413, "overLimit"),
    errors.UnsupportedMediaType: (415, "badMediaType"),
    errors.UnsupportedVersion: (406, "notAcceptable"),
    errors.MethodNotAllowed: (405, "badMethod"),
    errors.NotSupported: (501, "notImplemented"),
    errors.UnknownAction: (400, "badRequest"),
    errors.NotFound: (404, "itemNotFound"),
    errors.Conflict: (409, "conflictingRequest"),
    errors.AlreadyExists: (409, "conflictingRequest"),
    errors.InUse: (409, "conflictingRequest"),
    errors.WrongState: (409, "conflictingRequest"),
    errors.SegmentInUse: (409, "conflictingRequest"),
    errors.AddressInUse: (409, "conflictingRequest"),
    errors.NoMoreAddresses: (409, "conflictingRequest"),
    errors.TokenReused: (409, "conflictingRequest"),
    errors.TokenSpent: (409, "conflictingRequest"),
    errors.ConcurrentUpdate: (409, "conflictingRequest"),
    errors.QuotaExceeded: (403, "forbidden"),
    errors.NoCapacity: (500, "computeFault"),
    errors.Unavailable: (503, "serviceUnavailable"),
    errors.CallTimedOut: (503, "serviceUnavailable"),
    errors.NoSuchTarget: (503, "serviceUnavailable"),
    errors.OutcomeUnknown: (503, "serviceUnavailable"),
    errors.Overloaded: (503, "serviceUnavailable"),
    errors.DatabaseUnavailable: (503, "serviceUnavailable"),
    errors.BadConfiguration: (500, "computeFault"),
    errors.Internal: (500, "computeFault"),
    errors.DriverFailure: (500, "computeFault"),
    errors.TransientFailure: (503, "serviceUnavailable"),
    errors.PermanentFailure: (500, "computeFault"),
    errors.ImageVanished: (500, "computeFault"),
}

Render = Callable[[errors.StackdError], tuple[int, dict[str, Any]]]


def status_and_name(error: errors.StackdError) -> tuple[int, str]:
    """The HTTP status and Nova's fault name of an error."""
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    return 500, "computeFault"


def compute(error: errors.StackdError) -> tuple[int, dict[str, Any]]:
    """Status and body as Nova writes them."""
    status, name = status_and_name(error)
    return status, {name: {"code": status, "message": str(error)}}


def identity(error: errors.StackdError) -> tuple[int, dict[str, Any]]:
    """Status and body as Keystone writes them."""
    status, _ = status_and_name(error)
    return status, {"error": {"code": status, "message": str(error), "title": HTTPStatus(status).phrase}}


def image(error: errors.StackdError) -> tuple[int, dict[str, Any]]:
    """Status and body for the image API; Glance's own are free text."""
    status, _ = status_and_name(error)
    return status, {"code": status, "title": HTTPStatus(status).phrase, "message": str(error)}
