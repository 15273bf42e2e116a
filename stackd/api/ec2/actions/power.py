"""Changing instances: Terminate-, Stop-, Start- and RebootInstances."""

from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import instances as views
from stackd.model import kinds
from stackd.model.callers import MEMBER
from stackd.model.instances import RebootKind


async def _ids(call: Call) -> tuple[str, ...]:
    wanted = call.demand("InstanceIds")
    return tuple((await call.core.shortids.resolve(call.caller, kinds.INSTANCE, wanted)).values())


async def terminate_instances(call: Call) -> Values:
    """Desire them deleted; terminating again succeeds again."""
    changes = await call.core.instances.terminate(call.caller, await _ids(call), dry_run=call.dry_run)
    return {"TerminatingInstances": [views.change(change) for change in changes]}


async def stop_instances(call: Call) -> Values:
    """Desire them stopped; one that does not shut down by itself is cut off by its host, with or without Force."""
    changes = await call.core.instances.stop(call.caller, await _ids(call), dry_run=call.dry_run)
    return {"StoppingInstances": [views.change(change) for change in changes]}


async def start_instances(call: Call) -> Values:
    """Desire them running."""
    changes = await call.core.instances.start(call.caller, await _ids(call), dry_run=call.dry_run)
    return {"StartingInstances": [views.change(change) for change in changes]}


async def reboot_instances(call: Call) -> Values:
    """Desire one more reboot of each."""
    await call.core.instances.reboot(call.caller, await _ids(call), RebootKind.SOFT, dry_run=call.dry_run)
    return {}


ACTIONS = {
    "TerminateInstances": Action(run=terminate_instances, role=MEMBER, words="terminate instances",
                                 takes={"InstanceIds"}, harmless={"Force", "SkipOsShutdown"}, rehearses=True),
    "StopInstances": Action(run=stop_instances, role=MEMBER, words="stop instances", takes={"InstanceIds"},
                            harmless={"Force", "SkipOsShutdown"}, rehearses=True),
    "StartInstances": Action(run=start_instances, role=MEMBER, words="start instances", takes={"InstanceIds"},
                             rehearses=True),
    "RebootInstances": Action(run=reboot_instances, role=MEMBER, words="reboot instances", takes={"InstanceIds"},
                              rehearses=True),
}
