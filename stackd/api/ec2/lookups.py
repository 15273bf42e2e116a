"""Look-ups that several families of actions share: tags beside resources, launch tags, groups by name, addresses."""

from collections.abc import Iterable, Mapping, Sequence

from stackd import errors
from stackd.api.ec2.calls import Call
from stackd.api.ec2.views import tags as views
from stackd.core import tags as core_tags
from stackd.model import ids, kinds
from stackd.model.groups import SecurityGroup
from stackd.model.networks import Network


async def tags(call: Call, kind: str) -> Mapping[str, views.Shown]:
    """Resource id -> tags of all the project's resources of a kind."""
    return views.by_resource(await call.core.tags.list(call.caller, kind))


def tag_entries(shown: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Keys and values of Tag parameters; raises ``InvalidValue`` for those outside their limits or given twice."""
    entries: dict[str, str] = {}
    for tag in shown:
        key = tag.get("Key", "")
        if key in entries:
            raise errors.InvalidValue("Tag.Key", f"the key {key!r} is given more than once.")
        entries[key] = tag.get("Value", "")
    core_tags.check(entries)
    return entries


def specified_tags(call: Call, *allowed: str) -> dict[str, dict[str, str]]:
    """The tags of TagSpecifications by resource type, which must be one of ``allowed``."""
    found: dict[str, dict[str, str]] = {}
    for specification in call.items("TagSpecifications"):
        kind = specification.get("ResourceType", "")
        if kind not in allowed:
            raise errors.InvalidValue("TagSpecification.ResourceType",
                                      f"{kind!r} cannot be tagged by {call.action}; it must be {' or '.join(allowed)}.")
        found.setdefault(kind, {}).update(tag_entries(specification.get("Tags", ())))
    return found


async def tag_new(call: Call, kind: str, id: str) -> views.Shown:
    """Put the tags of TagSpecifications on a resource just made; how they are shown."""
    entries = specified_tags(call, views.RESOURCE_TYPES[kind]).get(views.RESOURCE_TYPES[kind], {})
    if entries:
        await call.core.tags.put(call.caller, [(kind, id)], entries)
    return views.shown(entries)


async def vpcs(call: Call) -> dict[str, Network]:
    """The networks EC2 shows, by id: external ones only lend addresses."""
    return {one.id: one for one in await call.core.networks.list(call.caller) if not one.external}


async def default_vpc(call: Call) -> str | None:
    """The id of the project's default network; None when there is none."""
    return next((one.id for one in (await vpcs(call)).values()
                 if one.is_default and one.project_id == call.caller.project_id), None)


async def groups_named(call: Call, names: Sequence[str]) -> list[SecurityGroup]:
    """The project's security groups with these names; raises ``NotFound``."""
    by_name = {one.name: one for one in await call.core.groups.list(call.caller)} if names else {}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise errors.NotFound(kinds.SECURITY_GROUP, ", ".join(missing))
    return [by_name[name] for name in names]


async def group_ids(call: Call, ec2_ids: Sequence[str]) -> tuple[str, ...]:
    """Our ids of security groups; raises ``MalformedId`` or ``NotFound``."""
    return tuple((await call.core.shortids.resolve(call.caller, kinds.SECURITY_GROUP, ec2_ids)).values())


def demand_known(kind: str, wanted: Iterable[str], shown: Iterable[str]) -> None:
    """Raise ``MalformedId`` or ``NotFound`` for ids a description was asked for but does not hold."""
    there = set(shown)
    missing = [text for text in dict.fromkeys(wanted) if text not in there]
    for text in missing:
        parsed = ids.parse_ec2_id(text)
        if (parsed is None or parsed[0] != ids.EC2_PREFIXES[kind]) and not is_old_id(kind, text):
            raise errors.MalformedId(kind, text, remedy=f"Write it like {ids.EC2_PREFIXES[kind]}-0123456789abcdef0.")
    if missing:
        raise errors.NotFound(kind, ", ".join(missing))


def is_old_id(kind: str, text: str) -> bool:
    """Whether a text is an id of AWS's old short form: well-formed, but never one of ours."""
    prefix, _, digits = text.partition("-")
    return prefix == ids.EC2_PREFIXES[kind] and len(digits) == 8 and set(digits) <= set("0123456789abcdef")
