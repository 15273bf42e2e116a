"""DescribeInstanceAttribute: one attribute of one instance."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from stackd import errors
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import instances as views
from stackd.model import kinds
from stackd.model.callers import READER
from stackd.model.instances import InstanceView

Read = Callable[[Call, InstanceView], Awaitable[Values]]


def _fixed(name: str, value: Any) -> Read:
    async def read(call: Call, view: InstanceView) -> Values:
        return {name: value}
    return read


def _shown(name: str, attribute: str, wrapped: bool = True) -> Read:
    """An attribute that the instance's description holds too."""
    async def read(call: Call, view: InstanceView) -> Values:
        value = views.instance(view, call.caller.account, call.region)[name]
        return {attribute: {"Value": value} if wrapped else value}
    return read


async def _user_data(call: Call, view: InstanceView) -> Values:
    content = await call.core.instances.user_data(call.caller, view.instance.id)
    return {"UserData": {"Value": base64.b64encode(content).decode()} if content else {}}


ATTRIBUTES: dict[str, Read] = {
    "instanceType": _shown("InstanceType", "InstanceType"),
    "kernel": _shown("KernelId", "KernelId"),
    "ramdisk": _shown("RamdiskId", "RamdiskId"),
    "userData": _user_data,
    "disableApiTermination": _fixed("DisableApiTermination", {"Value": False}),
    "disableApiStop": _fixed("DisableApiStop", {"Value": False}),
    "instanceInitiatedShutdownBehavior": _fixed("InstanceInitiatedShutdownBehavior", {"Value": "stop"}),
    "rootDeviceName": _shown("RootDeviceName", "RootDeviceName"),
    "blockDeviceMapping": _shown("BlockDeviceMappings", "BlockDeviceMappings", wrapped=False),
    "productCodes": _shown("ProductCodes", "ProductCodes", wrapped=False),
    "sourceDestCheck": _shown("SourceDestCheck", "SourceDestCheck"),
    "groupSet": _shown("SecurityGroups", "Groups", wrapped=False),
    "ebsOptimized": _shown("EbsOptimized", "EbsOptimized"),
    "sriovNetSupport": _fixed("SriovNetSupport", {}),
    "enaSupport": _fixed("EnaSupport", {"Value": False}),
}


async def describe_instance_attribute(call: Call) -> Values:
    """One attribute, named as AWS names it."""
    name = call.get("Attribute")
    if name not in ATTRIBUTES:
        raise errors.NotSupported(f"The attribute {name} is not supported by this cloud.",
                                  remedy=f"Ask for one of {', '.join(ATTRIBUTES)}.")
    id = await call.core.shortids.one(call.caller, kinds.INSTANCE, call.get("InstanceId"))
    view = await call.core.instances.get(call.caller, id)
    return {"InstanceId": call.get("InstanceId"), **await ATTRIBUTES[name](call, view)}


ACTIONS = {
    "DescribeInstanceAttribute": Action(run=describe_instance_attribute, role=READER, words="show instances",
                                        takes={"InstanceId", "Attribute"}),
}
