"""The Klein app all operations of the compute API register with, and what they share."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from klein import Klein
from twisted.web.http import Request

from stackd import errors
from stackd.api.openstack.compute import microversions
from stackd.api.openstack.compute.microversions import LOWEST, Body, Span, Version
from stackd.api.openstack.http import Answer, Call, Operation, Service, check_body, handle_http_errors, operation
from stackd.core.cloud import Cloud
from stackd.model import ids, kinds
from stackd.model.instances import InstanceView

app = Klein()
handle_http_errors(app)


class Operations(Service):
    """What the operations of one resource may use; ``service.ComputeService`` is all of them together."""

    cloud: Cloud

    def negotiate(self, request: Request) -> Version:
        """The microversion of a request."""
        return microversions.asked(request)

    def version_headers(self, version: Version) -> Mapping[str, str]:
        """The microversion of the answer."""
        return microversions.headers(version)

    async def network_names(self, call: Call, many: Sequence[InstanceView]) -> dict[str, str]:
        """The names of the networks these have ports on, by id."""
        wanted = tuple({port.network_id for seen in many for port in seen.ports})
        if not wanted:
            return {}
        found = await self.cloud.networks.list(call.caller, wanted, all_projects=call.caller.is_admin)
        return {network.id: network.name for network in found}


def offered(body: Body | None = None, *, since: Version = LOWEST,
            until: Version | None = None) -> Callable[[Operation], Any]:
    """Decorate a route that some versions have, with the schema of its body."""
    span = Span(since=since, until=until)

    def decorate(perform: Operation) -> Any:
        @wraps(perform)
        async def checked(self: Operations, call: Call, **kwargs: str) -> Answer:
            if not span.holds(call.version):
                raise errors.NotFound("resource", call.path, remedy="Other microversions have it.")
            if body is not None:
                check_body(body.validator(call.version), call.body)
            return await perform(self, call, **kwargs)
        checked.body = body  # type: ignore[attr-defined]  # tests walk all routes and their bodies
        return operation({"type": "object"} if body is not None else None)(checked)

    return decorate


def key(kind: str, text: str) -> str:
    """The id in a path or body, in our form; what is no id at all names nothing: ``NotFound``."""
    id = ids.parse_uuid(text)
    if id is None:
        raise errors.NotFound(kind, text)
    return id


def instance_key(text: str) -> str:
    """The same of an instance."""
    return key(kinds.INSTANCE, text)


def root(call: Call) -> str:
    """The address of the API without its version."""
    return call.base + call.path.partition("/v2.1")[0].rstrip("/")


def links(call: Call, collection: str, id: str) -> list[dict[str, str]]:
    """Where a resource is, with the version and without."""
    return [{"rel": "self", "href": f"{root(call)}/v2.1/{collection}/{id}"}, bookmark(call, collection, id)]


def bookmark(call: Call, collection: str, id: str) -> dict[str, str]:
    """Where a resource is for ever."""
    return {"rel": "bookmark", "href": f"{root(call)}/{collection}/{id}"}
