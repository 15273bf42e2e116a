"""DescribeImages: the catalogue as EC2 shows it."""

from collections.abc import Iterable
from typing import Any

from stackd.api.ec2 import filters, lookups, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import catalogue as views
from stackd.model import kinds
from stackd.model.callers import READER
from stackd.model.images import Image, Visibility
from stackd.model.paging import PageRequest

PATHS = {
    "architecture": "Architecture", "creation-date": "CreationDate", "description": "Description",
    "hypervisor": "Hypervisor", "image-id": "ImageId", "image-type": "ImageType", "is-public": "Public",
    "kernel-id": "KernelId", "name": "Name", "owner-alias": "ImageOwnerAlias", "owner-id": "OwnerId",
    "platform": "Platform", "ramdisk-id": "RamdiskId", "root-device-name": "RootDeviceName",
    "root-device-type": "RootDeviceType", "state": "State", "virtualization-type": "VirtualizationType",
    "manifest-location": "ImageLocation", "ena-support": "EnaSupport",
}


async def describe_images(call: Call) -> Values:
    """The images the caller may launch from."""
    tags = await lookups.tags(call, kinds.IMAGE)
    caller = call.caller
    shown = [views.image(one, caller.project_id, caller.account, tags.get(one.id, []))
             for one in await _asked(call) if _executable(call, one)]
    owned = [view for view in shown if _owned_by(view, call.items("Owners"), caller.account)]
    page, token = paging.page(call, filters.keep(call.items("Filters"), owned, PATHS),
                              lambda view: view["ImageId"], "ImageIds")
    return {"Images": page, "NextToken": token}


async def _asked(call: Call) -> list[Image]:
    wanted = call.items("ImageIds")
    if wanted:
        found = await call.core.shortids.resolve(call.caller, kinds.IMAGE, wanted)
        return [await call.core.images.show(call.caller, id) for id in found.values()]
    everything: list[Image] = []
    page = await call.core.images.list(call.caller, PageRequest())
    everything += page
    while page.more:
        page = await call.core.images.list(call.caller, PageRequest(marker=everything[-1].id))
        everything += page
    return [one for one in everything if not one.hidden]


def _executable(call: Call, one: Image) -> bool:
    """Whether ExecutableBy lets an image through: ``all`` means public ones, ``self`` those shared with the caller."""
    users = call.items("ExecutableUsers")
    public = one.visibility is Visibility.PUBLIC
    return not users or ("all" in users and public) or ("self" in users and not public
                                                        and one.owner != call.caller.project_id)


def _owned_by(view: dict[str, Any], owners: Iterable[str], account: str) -> bool:
    wanted = {account if owner == "self" else owner for owner in owners}
    return not wanted or view["OwnerId"] in wanted or view.get("ImageOwnerAlias") in wanted


ACTIONS = {
    "DescribeImages": Action(
        run=describe_images, role=READER, words="list images",
        takes={"ImageIds", "Owners", "ExecutableUsers", "Filters", "MaxResults", "NextToken"},
        harmless={"IncludeDeprecated", "IncludeDisabled"}),
}
