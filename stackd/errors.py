"""The one tree of errors: neutral words, carrying data, each saying what to do next.

Every layer raises only these. Each API owns one table from a leaf of this tree to its own code
(``api/openstack/faults.py``, ``api/ec2/faults.py``); a test walks the tree and demands both.
Drivers raise only :class:`DriverFailure` leaves and :class:`NotSupported`.
"""

from typing import Any

LONGEST = 1000
"""Characters of a message; words that quote what was sent can be as long as that."""


class StackdError(Exception):
    """Base of all; ``message`` is for the user, ``remedy`` says what to do next."""

    remedy = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        """Keep the user's words and, where given, a remedy better than the class's own."""
        self.message = message if len(message) <= LONGEST else f"{message[:LONGEST // 2]} ... {message[-80:]}"
        super().__init__(self.message)
        if remedy is not None:
            self.remedy = remedy

    def wire(self) -> dict[str, Any]:
        """What a reply over the bus carries so that the same error is raised on the other side."""
        return {"message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        """The message and the remedy, one sentence each."""
        return f"{self.message} {self.remedy}".strip()


# --- the caller ---------------------------------------------------------------------------------


class NotAuthenticated(StackdError):
    """No credentials, or wrong ones; never says which part was wrong."""

    remedy = "Authenticate with valid credentials and send the request again."


class SignatureMismatch(NotAuthenticated):
    """A request signature that does not match the secret key."""

    remedy = "Check the secret key and the signing method."


class UnknownAccessKey(NotAuthenticated):
    """An access key that does not exist."""

    remedy = "Check the access key; create one with 'openstack ec2 credentials create'."


class RequestExpired(NotAuthenticated):
    """A signed request whose date is outside the allowed window."""

    remedy = "Set the client's clock right and sign the request again."


class NotAllowed(StackdError):
    """The caller's roles do not permit the action."""

    remedy = "Ask an administrator for a role that permits it."


class DryRunSucceeded(StackdError):
    """The request would have succeeded, but asked for a dry run."""

    remedy = "Send it without DryRun to carry it out."


# --- the request --------------------------------------------------------------------------------


class BadRequest(StackdError):
    """What was sent can never be accepted as it is."""


class Malformed(BadRequest):
    """The body cannot be parsed at all."""

    remedy = "Send a well-formed body of the documented content type."


class InvalidValue(BadRequest):
    """One field has a value that cannot be used."""

    def __init__(self, field: str, reason: str, *, remedy: str | None = None) -> None:
        """Name the field in the caller's own spelling and the reason."""
        super().__init__(f"Invalid value for {field}: {reason}", remedy=remedy)
        self.field = field
        self.reason = reason

    def wire(self) -> dict[str, Any]:
        """Field and reason."""
        return {"field": self.field, "reason": self.reason, "remedy": self.remedy}


class MissingValue(BadRequest):
    """A required field is absent."""

    def __init__(self, field: str, *, remedy: str | None = None) -> None:
        """Name the field in the caller's own spelling."""
        super().__init__(f"The request must contain {field}.", remedy=remedy)
        self.field = field

    def wire(self) -> dict[str, Any]:
        """The field."""
        return {"field": self.field, "remedy": self.remedy}


class UnknownField(BadRequest):
    """A parameter the operation does not have."""

    remedy = "Check the spelling of the parameter and the API version."

    def __init__(self, field: str, *, remedy: str | None = None) -> None:
        """Name the parameter in the caller's own spelling."""
        super().__init__(f"The parameter {field} is not recognized.", remedy=remedy)
        self.field = field

    def wire(self) -> dict[str, Any]:
        """The parameter."""
        return {"field": self.field, "remedy": self.remedy}


class MalformedId(BadRequest):
    """A text that cannot be the id of any resource of the kind."""

    def __init__(self, kind: str, id: str, *, remedy: str | None = None) -> None:
        """``kind`` is a word of ``model.kinds``; ``id`` as the caller wrote it."""
        super().__init__(f'Invalid {kind.replace("_", " ")} id: "{id}".', remedy=remedy)
        self.kind = kind
        self.id = id

    def wire(self) -> dict[str, Any]:
        """Kind and id."""
        return {"kind": self.kind, "id": self.id, "remedy": self.remedy}


class ConflictingValues(BadRequest):
    """Fields that may not be given together."""


class InvalidImage(BadRequest):
    """An image that cannot be booted as asked: wrong status, format, or size."""

    remedy = "Choose another image, or a larger flavor."


class InvalidKey(BadRequest):
    """A public key that cannot be parsed or is of an unsupported type."""

    remedy = "Send an OpenSSH public key of type ssh-rsa or ssh-ed25519."


class InvalidMarker(BadRequest):
    """A paging marker that names nothing."""

    remedy = "Start the listing again without a marker."


class PayloadTooLarge(BadRequest):
    """A body or field above its limit."""


class UnsupportedMediaType(BadRequest):
    """A content type the operation does not take."""


class UnsupportedVersion(BadRequest):
    """An API version outside what is offered."""


class MethodNotAllowed(BadRequest):
    """The path exists, the HTTP method does not."""


class NotSupported(StackdError):
    """A known feature that this cloud, or this driver, does not offer."""

    remedy = "Use another way to reach the goal; the documentation lists what is supported."


class UnknownAction(BadRequest):
    """An action of no known API."""

    remedy = "Check the spelling of the action and the API version."


# --- the resource -------------------------------------------------------------------------------


class NotFound(StackdError):
    """No such resource that the caller may see."""

    remedy = "List what there is in your project, and check the spelling."

    def __init__(self, kind: str, id: str, *, remedy: str | None = None) -> None:
        """``kind`` is a word of ``model.kinds``; ``id`` as the caller wrote it."""
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {id} could not be found.", remedy=remedy)
        self.kind = kind
        self.id = id

    def wire(self) -> dict[str, Any]:
        """Kind and id."""
        return {"kind": self.kind, "id": self.id, "remedy": self.remedy}


class Conflict(StackdError):
    """The request is fine, the state of things is not."""


class AlreadyExists(Conflict):
    """A name or key that is taken."""

    remedy = "Choose another name, or use the existing one."

    def __init__(self, kind: str, name: str, *, remedy: str | None = None) -> None:
        """``kind`` is a word of ``model.kinds``."""
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {name} already exists.", remedy=remedy)
        self.kind = kind
        self.name = name

    def wire(self) -> dict[str, Any]:
        """Kind and name."""
        return {"kind": self.kind, "name": self.name, "remedy": self.remedy}


class InUse(Conflict):
    """A resource others depend on cannot be deleted or changed."""

    remedy = "Release what uses it first."

    def __init__(self, kind: str, id: str, by: str, *, remedy: str | None = None) -> None:
        """``by`` names the dependents in words."""
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {id} is in use by {by}.", remedy=remedy)
        self.kind = kind
        self.id = id
        self.by = by

    def wire(self) -> dict[str, Any]:
        """Kind, id and dependents."""
        return {"kind": self.kind, "id": self.id, "by": self.by, "remedy": self.remedy}


class WrongState(Conflict):
    """The life cycle refuses the action in the resource's present state."""

    remedy = "Wait for the present transition to end, then look at the state again."

    def __init__(self, kind: str, id: str, state: str, action: str, *, remedy: str | None = None) -> None:
        """``state`` and ``action`` in neutral words."""
        super().__init__(f"Cannot {action} {kind.replace('_', ' ')} {id} while it is {state}.", remedy=remedy)
        self.kind = kind
        self.id = id
        self.state = state
        self.action = action

    def wire(self) -> dict[str, Any]:
        """Kind, id, state and action."""
        return {"kind": self.kind, "id": self.id, "state": self.state, "action": self.action,
                "remedy": self.remedy}


class AddressInUse(Conflict):
    """A fixed address that another port holds."""

    remedy = "Choose another address, or none to have one picked."


class NoMoreAddresses(Conflict):
    """A subnet or pool without a free address."""

    remedy = "Release addresses or add a subnet."


class SegmentInUse(Conflict):
    """A VLAN, a tunnel's segment or a physical network that another network has."""

    remedy = "Choose another one, or delete that network."


class TokenReused(Conflict):
    """A client token that came before with other parameters."""

    remedy = "Use a new client token for a different request."


class TokenSpent(Conflict):
    """A client token whose instances have ended, so long ago that nothing is known of them."""

    remedy = "Use a new client token to launch again."


class ConcurrentUpdate(Conflict):
    """Others changed the resource again and again while the request was tried."""

    remedy = "Send the request again."


class QuotaExceeded(StackdError):
    """The project's limit would be passed."""

    remedy = "Delete what is not needed, or ask an administrator for a larger quota."

    def __init__(self, resource: str, limit: int, used: int, requested: int) -> None:
        """``resource`` is a word of ``model.quotas``; the numbers are counts of it."""
        super().__init__(
            f"Quota exceeded for {resource}: limit {limit}, in use {used}, requested {requested}.")
        self.resource = resource
        self.limit = limit
        self.used = used
        self.requested = requested

    def wire(self) -> dict[str, Any]:
        """The resource and the three numbers."""
        return {"resource": self.resource, "limit": self.limit, "used": self.used,
                "requested": self.requested}


class NoCapacity(StackdError):
    """No host has room for what was asked; the message says which filter refused how many hosts."""

    remedy = "Try a smaller flavor or another zone, or wait until capacity is freed."


# --- the cloud ----------------------------------------------------------------------------------


class Unavailable(StackdError):
    """A part of the cloud does not answer now."""

    remedy = "Send the request again in a moment."


class CallTimedOut(Unavailable):
    """A call over the bus had no answer before its deadline."""


class NoSuchTarget(Unavailable):
    """Nobody serves the address a call was sent to."""


class OutcomeUnknown(Unavailable):
    """The connection was lost while a call was under way."""


class Overloaded(Unavailable):
    """A bounded queue is full."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer, also after retries."""


class BadConfiguration(StackdError):
    """The configuration cannot be used; all errors are reported at once."""

    remedy = "Mend the configuration file; 'conf/stackd.toml.sample' documents every key."


class Internal(StackdError):
    """A defect of ours; the detail is in the log under the request id."""

    remedy = "Report the request id to the operator."


# --- the world, as drivers see it ---------------------------------------------------------------


class DriverFailure(StackdError):
    """Base of what a driver may raise."""


class TransientFailure(DriverFailure):
    """May go well when tried again: busy, timeout, connection refused."""

    remedy = "It is tried again by itself."


class PermanentFailure(DriverFailure):
    """Will not go well however often it is tried; becomes the generation's fault."""

    remedy = "Delete the resource, or change what was asked."


class ImageVanished(PermanentFailure):
    """The image's bytes are no longer to be had, or are not what the catalogue said."""

    remedy = "Launch from another image."
