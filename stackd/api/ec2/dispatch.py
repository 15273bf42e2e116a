"""From an action's name to its answer: the tables of all actions, their parsers and renderers.

``resource`` calls it once the caller is known. AWS's models are read when the first request comes, and each
action's parser and renderer is compiled when it is first used.
"""

from collections.abc import Mapping
from functools import cached_property

from attrs import evolve, frozen

from stackd import errors
from stackd.api.ec2 import model
from stackd.api.ec2.actions import (
    addresses,
    attributes,
    groups,
    images,
    instances,
    keypairs,
    launches,
    networks,
    power,
    regions,
    rules,
    sts,
    tags,
    types,
)
from stackd.api.ec2.calls import Action, Call, refuse_unsupported
from stackd.api.ec2.parsing import Parser
from stackd.api.ec2.rendering import Renderer
from stackd.core.rehearsals import rehearse

FAMILIES = (launches, instances, power, attributes, keypairs, groups, rules, addresses, images, types, regions,
            networks, tags)
EC2: Mapping[str, Action] = {name: action for family in FAMILIES for name, action in family.ACTIONS.items()}
STS: Mapping[str, Action] = sts.ACTIONS


@frozen(kw_only=True)
class _Compiled:
    action: Action
    parse: Parser
    render: Renderer


class Api:
    """One service, ``ec2`` or ``sts``, with the actions stackd has of it."""

    def __init__(self, name: str, actions: Mapping[str, Action]) -> None:
        """``actions`` by the names AWS gives them."""
        self.name = name
        self._actions = actions
        self._compiled: dict[str, _Compiled] = {}

    @cached_property
    def model(self) -> model.Service:
        """AWS's model, cut down to our actions."""
        return model.load(self.name, frozenset(self._actions))

    def find(self, name: str, version: str) -> None:
        """Raise ``UnknownAction``, ``NotSupported`` or ``UnsupportedVersion`` unless the action can be called."""
        if not name:
            raise errors.MissingValue("the parameter Action")
        if name not in self.model.known:
            raise errors.UnknownAction(f"The action {name} is not valid for this web service.")
        if name not in self._actions:
            raise errors.NotSupported(f"The action {name} is not supported by this cloud.")
        if len(version) != 10 or version > self.model.api_version:
            raise errors.UnsupportedVersion(f"The API version {version!r} is not known.",
                                            remedy=f"Use {self.model.api_version}.")

    async def respond(self, call: Call, parameters: Mapping[str, str]) -> bytes:
        """Parse, run and render; ``call`` has everything but the parameters."""
        one = self._compile(call.action)
        values = one.parse(parameters)
        call = evolve(call, dry_run=bool(values.pop("DryRun", False)), parameters=values)
        refuse_unsupported(call, one.action)
        if call.dry_run and not one.action.rehearses:
            rehearse(call.caller, one.action.role, one.action.words)
        return one.render(await one.action.run(call), call.caller.request_id)

    def _compile(self, name: str) -> _Compiled:
        if name not in self._compiled:
            operation = self.model.operations[name]
            self._compiled[name] = _Compiled(
                action=self._actions[name], render=Renderer(operation, self.model.namespace),
                parse=Parser(operation.input_shape, "ec2" if self.name == "ec2" else "query"))
        return self._compiled[name]
