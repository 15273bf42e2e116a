"""Every route of every OpenStack API, found in the maps the services route by, and how each of them refuses."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from stackd.api.openstack.compute import actions
from stackd.api.openstack.compute.microversions import HIGHEST
from stackd.api.openstack.compute.service import ComputeService
from stackd.api.openstack.identity.service import IdentityService
from stackd.api.openstack.image.service import ImageService
from stackd.api.openstack.network.service import NetworkService
from tests.fuzz.wire import Answer


@frozen
class Route:
    """One method of one path; ``path`` is the pattern as the service has it, the names of its arguments beside."""

    api: str
    method: str
    path: str
    arguments: tuple[str, ...]
    schemas: tuple[Any, ...]
    """What bodies may be; empty for a route without one."""


SERVICES: Mapping[str, Any] = {
    "compute": ComputeService, "identity": IdentityService, "image": ImageService, "network": NetworkService}


def routes() -> Iterator[Route]:
    """All of them."""
    for api, service in SERVICES.items():
        for rule in service.app.url_map.iter_rules():
            arguments = tuple(sorted(rule.arguments))
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(api, method, rule.rule, arguments, _schemas(service, rule.endpoint))


def _schemas(service: Any, endpoint: str) -> tuple[Any, ...]:
    operation = getattr(service, endpoint)
    if endpoint == "act":
        return tuple(action.body.validator(HIGHEST).schema for action in actions.ACTIONS.values())
    body = getattr(getattr(operation, "__wrapped__", None), "body", None)
    schema = body.validator(HIGHEST).schema if body is not None else operation.schema
    return () if schema is None else (schema,)


def _of_compute(body: Any) -> int:
    (fault,) = body.values()
    assert isinstance(fault["message"], str)
    return int(fault["code"])


def _of_identity(body: Any) -> int:
    assert body["error"]["title"]
    return int(body["error"]["code"])


def _of_image(body: Any) -> int:
    assert body["title"]
    return int(body["code"])


def _of_network(body: Any) -> None:
    assert body["NeutronError"].keys() == {"type", "message", "detail"}


FAULTS: Mapping[str, Callable[[Any], int | None]] = {
    "compute": _of_compute, "identity": _of_identity, "image": _of_image, "network": _of_network}
REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 416, 501})


def check(api: str, method: str, asked: str, answer: Answer) -> None:
    """Fail unless it is a good answer, or a refusal in the API's own words that says something."""
    where = f"{method} {asked[:200]} -> {answer.status} {answer.body[:400]!r}"
    assert answer.status < 400 or answer.status in REFUSALS, where
    assert b"Traceback" not in answer.body, where
    if answer.status >= 400 and method != "HEAD" and answer.status != 416:
        assert answer.headers["content-type"] == "application/json", where
        assert FAULTS[api](answer.json()) in (None, answer.status), where
        assert len(answer.body) < 4096, f"a flood of words: {where}"
