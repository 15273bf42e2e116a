"""The Klein app all operations of the identity API register with, and what they share."""

from collections.abc import Callable
from typing import Any

from klein import Klein

from stackd.api.openstack.http import Answer, Call, Service, handle_http_errors
from stackd.api.openstack.identity.catalog import Catalog
from stackd.core.identity import Identity
from stackd.model.paging import MAX_LIMIT, Page, PageRequest

app = Klein()
handle_http_errors(app)

View = Callable[[str, Any], dict[str, Any]]


class Operations(Service):
    """What the operations of one resource may use; ``service.IdentityService`` is all of them together."""

    identity: Identity
    catalog: Catalog


def root(call: Call) -> str:
    """The address of ``/v3`` as the client reached it."""
    mount = call.path.partition("/v3")[0].rstrip("/")
    return f"{call.base}{mount}/v3"


def page_of(call: Call) -> PageRequest:
    """``limit`` and ``marker`` of the query; raises ``InvalidValue``."""
    limit = call.number("limit", MAX_LIMIT, least=1)
    return PageRequest(limit=min(limit, MAX_LIMIT), marker=call.arg("marker"))


def flag(call: Call, name: str) -> bool | None:
    """A yes/no of the query; None when it is not there. Keystone takes the bare name as yes."""
    value = call.arg(name)
    return None if value is None else value.lower() not in ("0", "false", "no", "off")


def listing(call: Call, word: str, page: Page[Any], view: View) -> Answer:
    """One page of a collection, with the links Keystone gives."""
    base = f"{call.base}{call.path}"
    last = page.items[-1].id if page.more else ""
    following = f"{base}?limit={len(page)}&marker={last}" if last else None
    links = {"self": base, "previous": None, "next": following}
    return Answer({word: [view(root(call), item) for item in page], "links": links})
