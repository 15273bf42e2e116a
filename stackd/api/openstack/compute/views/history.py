"""A server's history as Nova's instance actions: what users asked for, with what the daemons made of it."""

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from stackd.api.openstack.compute.microversions import Shown, Version, view
from stackd.api.openstack.compute.views.servers import host_id
from stackd.api.openstack.compute.views.times import fine_moment
from stackd.model import ids
from stackd.model.events import Event
from stackd.model.instances import Instance

# Our word for what a user did -> Nova's.
_ACTIONS = {"create": "create", "start": "start", "stop": "stop", "reboot": "reboot", "terminate": "delete",
            "lock": "lock", "unlock": "unlock"}
_REACHED, _FAILED = "observed", "fault"


@frozen(kw_only=True)
class Action:
    """One request of a user, and the events it caused, oldest first."""

    instance: Instance
    event: Event
    effects: tuple[Event, ...] = field(default=())

    @property
    def failed(self) -> bool:
        """Whether it ended in a fault."""
        return any(effect.action == _FAILED for effect in self.effects)

    @property
    def updated_at(self) -> float:
        """When the last thing came of it."""
        return max((effect.at for effect in self.effects), default=self.event.at)


def actions_of(instance: Instance, events: Iterable[Event]) -> list[Action]:
    """The actions in a history, newest first as the history is."""
    many = list(events)
    return [Action(instance=instance, event=event, effects=tuple(
        effect for effect in reversed(many)
        if effect.request_id == event.request_id and effect.action not in _ACTIONS))
        for event in many if event.action in _ACTIONS]


_ACTION: tuple[Shown[Action], ...] = (
    Shown("action", lambda action: _ACTIONS[action.event.action]),
    Shown("instance_uuid", lambda action: ids.dashed(action.instance.id)),
    Shown("request_id", lambda action: action.event.request_id),
    Shown("user_id", lambda action: action.event.actor),
    Shown("project_id", lambda action: action.event.project_id),
    Shown("start_time", lambda action: fine_moment(action.event.at)),
    Shown("message", lambda action: "Error" if action.failed else None),
    Shown("updated_at", lambda action: fine_moment(action.updated_at), since=(2, 58)),
)


@frozen
class _Effect:
    action: Action
    event: Event


_EFFECT: tuple[Shown[_Effect], ...] = (
    Shown("event", lambda effect: f"{effect.event.actor.partition('@')[0] or 'cloud'}_{effect.event.action}"),
    Shown("start_time", lambda effect: fine_moment(effect.action.event.at)),
    Shown("finish_time", lambda effect: fine_moment(effect.event.at)),
    Shown("result", lambda effect: "Error" if effect.event.action == _FAILED else "Success"),
    Shown("traceback", lambda effect: None),
    Shown("hostId", lambda effect: host_id(effect.action.instance), since=(2, 62)),
    Shown("host", lambda effect: effect.action.instance.host, since=(2, 62), admin=True),
    Shown("details", lambda effect: effect.event.reason or None, since=(2, 84)),
)


def brief(action: Action, version: Version) -> dict[str, Any]:
    """An item of a list."""
    return view(_ACTION, action, version)


def full(action: Action, version: Version, admin: bool) -> dict[str, Any]:
    """With what came of it."""
    effects = [view(_EFFECT, _Effect(action, effect), version, admin) for effect in action.effects]
    return {**brief(action, version), "events": effects}
