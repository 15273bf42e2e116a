"""``POST /v2.1/servers/{id}/action``: one table from the action's name to its body's schema and what it does."""

from collections.abc import Awaitable, Callable

from attrs import frozen

from stackd import errors
from stackd.api.openstack.compute.microversions import Body
from stackd.api.openstack.compute.routing import Operations, app, instance_key
from stackd.api.openstack.compute.schemas import actions as schemas
from stackd.api.openstack.http import Answer, Call, check_body, operation
from stackd.core.cloud import Cloud
from stackd.model import kinds
from stackd.model.instances import RebootKind
from stackd.model.network_requests import PortChange

Perform = Callable[[Cloud, Call, str], Awaitable[Answer]]
ACCEPTED = 202
CONSOLE_LIMIT = 65536


@frozen
class Action:
    """What is sent, and what is done; ``perform`` takes the id in our form."""

    body: Body
    perform: Perform


class Actions(Operations):
    """Actions on servers."""

    @app.route("/v2.1/servers/<id>/action", methods=["POST"])
    @operation({"type": "object", "minProperties": 1, "maxProperties": 1})
    async def act(self, call: Call, id: str) -> Answer:
        """Whatever the one word of the body says."""
        name = next(iter(call.body))
        if name in KNOWN_ELSEWHERE:
            raise errors.NotSupported(f"The action {name} is not offered by this cloud.")
        if name not in ACTIONS:
            raise errors.UnknownAction(f"There is no such action: {name}.")
        action = ACTIONS[name]
        check_body(action.body.validator(call.version), call.body)
        own = instance_key(id)
        await self.cloud.instances.get(call.caller, own)
        return await action.perform(self.cloud, call, own)


async def _start(cloud: Cloud, call: Call, id: str) -> Answer:
    await cloud.instances.start(call.caller, [id], strict=True)
    return Answer(None, ACCEPTED)


async def _stop(cloud: Cloud, call: Call, id: str) -> Answer:
    await cloud.instances.stop(call.caller, [id], strict=True)
    return Answer(None, ACCEPTED)


async def _lock(cloud: Cloud, call: Call, id: str) -> Answer:
    await cloud.instances.lock(call.caller, id, True, (call.body["lock"] or {}).get("locked_reason", ""))
    return Answer(None, ACCEPTED)


async def _unlock(cloud: Cloud, call: Call, id: str) -> Answer:
    await cloud.instances.lock(call.caller, id, False)
    return Answer(None, ACCEPTED)


async def _reboot(cloud: Cloud, call: Call, id: str) -> Answer:
    kind = RebootKind(call.body["reboot"]["type"].lower())
    await cloud.instances.reboot(call.caller, [id], kind)
    return Answer(None, ACCEPTED)


async def _console(cloud: Cloud, call: Call, id: str) -> Answer:
    """The last lines; without a length, or with -1, all that is kept."""
    asked = call.body["os-getConsoleOutput"].get("length")
    text = (await cloud.instances.console_output(call.caller, id)).decode("utf-8", "replace")
    if asked is not None and int(asked) >= 0:
        lines = text.splitlines(keepends=True)
        text = "".join(lines[len(lines) - min(int(asked), len(lines)):])
    return Answer({"output": text})


async def _add_group(cloud: Cloud, call: Call, id: str) -> Answer:
    name = call.body["addSecurityGroup"]["name"]
    ports = (await cloud.instances.get(call.caller, id)).ports
    if not ports:
        raise errors.BadRequest(f"Server {id} has no ports that could be in a security group.")
    for port in ports:
        held = tuple(group.id for group in port.groups)
        await cloud.ports.update(call.caller, port.id, PortChange(group_ids=(*held, name)))
    return Answer(None, ACCEPTED)


async def _remove_group(cloud: Cloud, call: Call, id: str) -> Answer:
    name = call.body["removeSecurityGroup"]["name"]
    ports = (await cloud.instances.get(call.caller, id)).ports
    inside = [port for port in ports if any(name in (group.name, group.id) for group in port.groups)]
    if not inside:
        raise errors.NotFound(kinds.SECURITY_GROUP, name, remedy="The server is in no group of this name.")
    for port in inside:
        left = tuple(group.id for group in port.groups if name not in (group.name, group.id))
        await cloud.ports.update(call.caller, port.id, PortChange(group_ids=left))
    return Answer(None, ACCEPTED)


ACTIONS = {action.body.word: action for action in (
    Action(schemas.START, _start),
    Action(schemas.STOP, _stop),
    Action(schemas.REBOOT, _reboot),
    Action(schemas.LOCK, _lock),
    Action(schemas.UNLOCK, _unlock),
    Action(schemas.CONSOLE, _console),
    Action(schemas.ADD_GROUP, _add_group),
    Action(schemas.REMOVE_GROUP, _remove_group),
)}
KNOWN_ELSEWHERE = frozenset({
    "addFixedIp", "addFloatingIp", "changePassword", "confirmResize", "createBackup", "createImage", "evacuate",
    "forceDelete", "injectNetworkInfo", "migrate", "os-getRDPConsole", "os-getSPICEConsole", "os-getSerialConsole",
    "os-getVNCConsole", "os-migrateLive", "os-resetState", "pause", "rebuild", "removeFixedIp", "removeFloatingIp",
    "rescue", "resetNetwork", "resize", "restore", "resume", "revertResize", "shelve", "shelveOffload", "suspend",
    "trigger_crash_dump", "unpause", "unrescue", "unshelve"})
"""Actions of Nova that this cloud does not have."""
