"""CreateTags, DeleteTags, DescribeTags, over every kind of resource.

An instance's tags are its metadata; its tag Name also renames it.
"""

from collections import ChainMap
from collections.abc import Mapping

from stackd import errors
from stackd.api.ec2 import filters, lookups, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import tags as views
from stackd.core.shortids import ENDED_SHOWN
from stackd.model import ids, kinds
from stackd.model.callers import MEMBER, READER
from stackd.model.instances import InstanceQuery
from stackd.model.paging import PageRequest

PATHS = {"key": "Key", "resource-id": "ResourceId", "resource-type": "ResourceType", "value": "Value"}


async def create_tags(call: Call) -> Values:
    """Set tags on each of the resources."""
    entries = lookups.tag_entries(call.demand("Tags"))
    resources = await _resources(call)
    others = [(kind, id) for kind, id in resources if kind != kinds.INSTANCE]
    for kind, id in resources:
        if kind == kinds.INSTANCE:
            await _tag_instance(call, id, entries)
    if others:
        await call.core.tags.put(call.caller, others, entries)
    return {}


async def _tag_instance(call: Call, id: str, entries: Mapping[str, str]) -> None:
    if entries.get(views.NAME):
        await call.core.instances.rename(call.caller, id, name=entries[views.NAME])
    await call.core.instances.set_metadata(call.caller, id, entries)


async def delete_tags(call: Call) -> Values:
    """Remove tags by key, where a value is given only with that value; all of them when none is named."""
    wanted = {tag.get("Key", ""): tag.get("Value") for tag in call.items("Tags")} or None
    resources = await _resources(call)
    for kind, id in resources:
        if kind == kinds.INSTANCE:
            await _untag_instance(call, id, wanted)
    await call.core.tags.remove(call.caller, [id for kind, id in resources if kind != kinds.INSTANCE], wanted)
    return {}


async def _untag_instance(call: Call, id: str, wanted: Mapping[str, str | None] | None) -> None:
    instance = (await call.core.instances.get(call.caller, id)).instance
    held = views.of_instance(instance)
    keys = [key for key, value in held.items()
            if wanted is None or (key in wanted and wanted[key] in (None, value))]
    if views.NAME in keys:
        await call.core.instances.rename(call.caller, id, name=ids.ec2_id(kinds.INSTANCE, id))
    if keys:
        await call.core.instances.delete_metadata(call.caller, id, keys)


async def _resources(call: Call) -> list[tuple[str, str]]:
    """(kind, id) of each of Resources."""
    by_kind: dict[str, list[str]] = {}
    for text in call.demand("Resources"):
        kind = views.KINDS.get(text.rpartition("-")[0])
        if kind is None:
            raise errors.MalformedId("resource", text, remedy="Only resources of this cloud can be tagged.")
        by_kind.setdefault(kind, []).append(text)
    found = []
    for kind, texts in by_kind.items():
        resolved = await call.core.shortids.resolve(call.caller, kind, texts)
        found += [(kind, id) for id in resolved.values()]
    return found


async def describe_tags(call: Call) -> Values:
    """Every tag the project has, one by one."""
    shown = await _instance_tags(call)
    shown += [views.description(tag.kind, tag.resource_id, tag.key, tag.value)
              for tag in await call.core.tags.list(call.caller)]
    accept = filters.compiled(call.items("Filters"), PATHS)
    # ``tag:KEY`` asks two things of one tag; here a tag is all there is to look at.
    kept = [view for view in shown if accept(ChainMap(view, {"Tags": [view]}))]
    page, token = paging.page(call, kept, lambda view: f"{view['ResourceId']} {view['Key']}")
    return {"Tags": page, "NextToken": token}


async def _instance_tags(call: Call) -> list[Values]:
    shown: list[Values] = []
    marker, more = None, True
    while more:
        page = await call.core.instances.list(call.caller, InstanceQuery(ended_since=call.now - ENDED_SHOWN),
                                               PageRequest(marker=marker))
        for view in page:
            one = view.instance
            shown += [views.description(kinds.INSTANCE, one.id, key, value)
                      for key, value in views.of_instance(one).items()]
            marker = one.id
        more = page.more
    return shown


ACTIONS = {
    "CreateTags": Action(run=create_tags, role=MEMBER, words="create tags", takes={"Resources", "Tags"}),
    "DeleteTags": Action(run=delete_tags, role=MEMBER, words="delete tags", takes={"Resources", "Tags"}),
    "DescribeTags": Action(run=describe_tags, role=READER, words="list tags",
                           takes={"Filters", "MaxResults", "NextToken"}),
}
