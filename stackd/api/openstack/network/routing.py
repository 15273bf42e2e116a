"""The Klein app all operations of the network API register with, and what they share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from klein import Klein

from stackd import errors
from stackd.api.openstack.http import Answer, Call, Service, handle_http_errors
from stackd.core.cloud import Cloud
from stackd.model import ids

T = TypeVar("T")

app = Klein()
handle_http_errors(app)


class Operations(Service):
    """What the operations of one resource may use; ``service.NetworkService`` is all of them together."""

    cloud: Cloud


def key(kind: str, text: str) -> str:
    """The id in a path or body, in our form; what is no id at all names nothing: ``NotFound``."""
    id = ids.parse_uuid(text)
    if id is None:
        raise errors.NotFound(kind, text)
    return id


def optional_key(kind: str, text: str | None) -> str | None:
    """The same for a field that may be absent, null or empty."""
    return key(kind, text) if text else None


def project_of(body: dict[str, Any]) -> str | None:
    """The project a body names, by either of its two names."""
    found: str | None = body.get("project_id") or body.get("tenant_id")
    return found


async def created(call: Call, word: str, plural: str, create: Callable[[dict[str, Any]], Awaitable[T]],
                  remove: Callable[[T], Awaitable[None]], view: Callable[[T], dict[str, Any]]) -> Answer:
    """Make one or many; when one of many cannot be made, those before it are removed again."""
    if word in call.body:
        return Answer({word: view(await create(call.body[word]))}, 201)
    made: list[T] = []
    try:
        for one in call.body[plural]:
            made.append(await create(one))
    except errors.StackdError:
        for record in reversed(made):
            await remove(record)
        raise
    return Answer({plural: [view(record) for record in made]}, 201)


def several(call: Call, word: str, plural: str) -> Sequence[dict[str, Any]]:
    """The bodies of a creation of one or many."""
    return [call.body[word]] if word in call.body else call.body[plural]
