"""AWS's own published models of EC2 and STS, as botocore ships them: the single source of names, nesting and types.

The EC2 model is large, so only what stackd's actions reach is kept after loading, besides the names of all actions
(to tell an action we lack from one that does not exist). ``parsing`` and ``rendering`` compile it; ``dispatch`` asks.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from attrs import field, frozen
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

SERVICES = {"2016-11-15": "ec2", "2011-06-15": "sts"}
"""API version -> service, for requests that name no service another way."""


@frozen(kw_only=True)
class Service:
    """One service's model, cut down to the operations asked for."""

    name: str
    api_version: str
    namespace: str
    known: frozenset[str] = field(repr=False)
    """Every action AWS has, also those not kept."""
    operations: Mapping[str, OperationModel] = field(repr=False)


@cache
def load(name: str, actions: frozenset[str]) -> Service:
    """Read botocore's model of ``ec2`` or ``sts`` and keep ``actions`` of it; takes a fifth of a second for EC2."""
    raw = Loader().load_service_model(name, "service-2")
    wanted = {action: raw["operations"][action] for action in actions}
    shapes: dict[str, Any] = {}
    for operation in wanted.values():
        for end in ("input", "output"):
            if end in operation:
                _gather(operation[end]["shape"], raw["shapes"], shapes)
    model = ServiceModel({"metadata": raw["metadata"], "operations": wanted, "shapes": shapes}, name)
    return Service(name=name, api_version=raw["metadata"]["apiVersion"],
                   namespace=raw["metadata"]["xmlNamespace"].rstrip("/") + "/", known=frozenset(raw["operations"]),
                   operations={action: model.operation_model(action) for action in wanted})


def _gather(name: str, source: Mapping[str, Any], into: dict[str, Any]) -> None:
    if name in into:
        return
    shape = {key: value for key, value in source[name].items() if key != "documentation"}
    into[name] = shape
    for part in _parts(shape):
        part.pop("documentation", None)
        _gather(part["shape"], source, into)


def _parts(shape: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from shape.get("members", {}).values()
    yield from (shape[part] for part in ("member", "key", "value") if part in shape)
