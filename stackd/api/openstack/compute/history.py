"""``/v2.1/servers/{id}/os-instance-actions``: what was done with a server."""

from collections.abc import Sequence

from stackd import errors
from stackd.api.openstack.compute.paging import following, page
from stackd.api.openstack.compute.routing import Operations, app, instance_key, offered
from stackd.api.openstack.compute.times import moment_of
from stackd.api.openstack.compute.views import history as views
from stackd.api.openstack.http import Answer, Call

AFTER_DELETION = (2, 21)
EVENTS_FOR_ALL = (2, 51)
PAGED = (2, 58)
BEFORE = (2, 66)


class History(Operations):
    """Instance actions."""

    @app.route("/v2.1/servers/<id>/os-instance-actions", methods=["GET"])
    @offered()
    async def list_actions(self, call: Call, id: str) -> Answer:
        """All, newest first; in pages since those exist."""
        found: Sequence[views.Action] = await self._actions(call, id)
        links, more = {}, False
        if call.version >= PAGED:
            since = moment_of(call, "changes-since")
            before = moment_of(call, "changes-before") if call.version >= BEFORE else None
            found = [action for action in found if (since is None or action.updated_at >= since)
                     and (before is None or action.updated_at <= before)]
            found, more = page(call, found, lambda action: action.event.request_id)
            links = following(call, "actions", found, more, found[-1].event.request_id if found else "")
        return Answer({"instanceActions": [views.brief(action, call.version) for action in found],
                       **({"links": links["actions_links"]} if links else {})})

    @app.route("/v2.1/servers/<id>/os-instance-actions/<request_id>", methods=["GET"])
    @offered()
    async def show_action(self, call: Call, id: str, request_id: str) -> Answer:
        """One, and what came of it."""
        for action in await self._actions(call, id):
            if action.event.request_id == request_id:
                shown = views.full(action, call.version, call.caller.is_admin)
                if call.version < EVENTS_FOR_ALL and not call.caller.is_admin:
                    del shown["events"]
                return Answer({"instanceAction": shown})
        raise errors.NotFound("action", request_id)

    async def _actions(self, call: Call, id: str) -> list[views.Action]:
        own = instance_key(id)
        seen = await self.cloud.instances.get(call.caller, own, ended=call.version >= AFTER_DELETION)
        return views.actions_of(seen.instance, await self.cloud.instances.events(call.caller, own))
