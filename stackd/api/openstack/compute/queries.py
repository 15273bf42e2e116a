"""From the query of ``GET /servers`` to the neutral one: a table of filters, who may use each, and since when."""

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from stackd import errors
from stackd.api.openstack.compute import statuses
from stackd.api.openstack.compute.microversions import Span, Version
from stackd.api.openstack.compute.paging import ABSENT, limit_of
from stackd.api.openstack.compute.schemas.types import true
from stackd.api.openstack.compute.times import moment_of
from stackd.api.openstack.http import Call
from stackd.model import ids, kinds
from stackd.model.instances import InstanceQuery
from stackd.model.paging import PageRequest

Read = Callable[[Call, tuple[str, ...]], Any]
STRICT_STATUSES: Version = (2, 38)
MAX_PATTERN, MAX_REPEATS = 100, 2


@frozen
class Filter(Span):
    """One argument, the field of the query it makes, and how; unlike others, ``admin`` ones are ignored quietly."""

    name: str
    field: str
    read: Read
    admin: bool = False


def _last(call: Call, values: tuple[str, ...]) -> str:
    return values[-1]


def _flag(call: Call, values: tuple[str, ...]) -> bool:
    return true(values[-1])


def _words(call: Call, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for value in values for word in value.split(",") if word))


def _image(call: Call, values: tuple[str, ...]) -> str:
    ref = values[-1].rpartition("/")[2]
    return ids.parse_uuid(ref) or ref


def _flavor(call: Call, values: tuple[str, ...]) -> str:
    return values[-1].rpartition("/")[2]


def _ids(call: Call, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ids.parse_uuid(value) or value for value in values)


def _time(name: str) -> Read:
    return lambda call, values: moment_of(call, name)


def _reservation(call: Call, values: tuple[str, ...]) -> tuple[str, str]:
    parsed = ids.parse_ec2_id(values[-1])
    if parsed is None or parsed[0] != ids.EC2_PREFIXES[kinds.RESERVATION]:
        return "~", "~"  # after every id: nothing is found
    return ids.id_range(parsed[1])


def _phases(call: Call, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    wanted = frozenset(value.upper() for value in values)
    if unknown := sorted(wanted - statuses.KNOWN):
        if call.version >= STRICT_STATUSES:
            raise errors.InvalidValue("status", f"'{unknown[0]}' is no status of a server")
    if "DELETED" in wanted and not call.caller.is_admin:
        raise errors.NotAllowed("Only administrators may list deleted servers.")
    return statuses.phases_of(wanted)


_ATOM = re.compile(r"(?P<any>\.\*)|(?P<some>\.\+)|(?P<one>\.)|\\(?P<escaped>.)|(?P<plain>.)", re.DOTALL)


def name_like(pattern: str) -> str:
    """The LIKE of a regular expression that says no more than ``^ $ . .* .+``; other letters mean themselves."""
    begins, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[begins:len(pattern) - ends]
    found = []
    for atom in _ATOM.finditer(inner):
        letter = atom["escaped"] or atom["plain"]
        if letter is not None:
            found.append(f"\\{letter}" if letter in "%_\\" else letter)
        else:
            found.append("%" if atom["any"] else "_%" if atom["some"] else "_")
    return ("" if begins else "%") + "".join(found) + ("" if ends else "%")


def _name(call: Call, values: tuple[str, ...]) -> str:
    return name_like(values[-1])


OPEN: Version = (2, 83)
"""Since then users may filter by what only admins could before."""
FILTERS: tuple[Filter, ...] = (
    Filter("name", "name_like", _name),
    Filter("status", "phases", _phases),
    Filter("image", "image_id", _image),
    Filter("flavor", "flavor_id", _flavor),
    Filter("reservation_id", "reservation_within", _reservation),
    Filter("changes-since", "changed_since", _time("changes-since")),
    Filter("changes-since", "ended_since", _time("changes-since")),
    Filter("changes-before", "changed_before", _time("changes-before"), since=(2, 66)),
    Filter("tags", "labels", _words, since=(2, 26)),
    Filter("tags-any", "labels_any", _words, since=(2, 26)),
    Filter("not-tags", "labels_not", _words, since=(2, 26)),
    Filter("not-tags-any", "labels_not_any", _words, since=(2, 26)),
    Filter("locked", "locked", _flag, since=(2, 73)),
    Filter("uuid", "ids", _ids, admin=True),
    Filter("host", "host", _last, admin=True),
    Filter("node", "host", _last, admin=True),
    Filter("availability_zone", "zone", _last, admin=True, until=OPEN),
    Filter("availability_zone", "zone", _last, since=OPEN),
    Filter("key_name", "key_name", _last, admin=True, until=OPEN),
    Filter("key_name", "key_name", _last, since=OPEN),
    Filter("user_id", "user_id", _last, admin=True, until=OPEN),
    Filter("user_id", "user_id", _last, since=OPEN),
)


def instance_query(call: Call) -> InstanceQuery:
    """Which servers a request wants; those of all projects only when it says so."""
    fields: dict[str, Any] = _scope(call)
    for row in FILTERS:
        values = tuple(value for value in call.args(row.name) if value not in (ABSENT, ""))
        if values and row.holds(call.version) and (call.caller.is_admin or not row.admin):
            fields[row.field] = row.read(call, values)
    if _deleted(call):
        ended = fields.get("phases") or statuses.phases_of(frozenset({"DELETED"}))
        fields |= {"ended_since": fields.get("ended_since", 0.0), "phases": ended}
    return InstanceQuery(**fields)


def _deleted(call: Call) -> bool:
    """Whether an admin asks for deleted servers."""
    asked = true(call.arg("deleted")) or "DELETED" in (value.upper() for value in call.args("status"))
    return asked and call.caller.is_admin


def _scope(call: Call) -> dict[str, Any]:
    text = call.arg("all_tenants")
    if text is None or text == ABSENT or not (text == "" or true(text)):
        return {}
    if not call.caller.is_admin:
        raise errors.NotAllowed("Only administrators may list the servers of all projects.")
    named = [value for name in ("project_id", "tenant_id") for value in call.args(name) if value != ABSENT]
    return {"all_projects": True, "project_id": named[0] if named else None}


def address_patterns(call: Call) -> dict[int, re.Pattern[str]]:
    """Patterns that an IPv4 or IPv6 address must begin with, where the request has them."""
    found = {}
    for name, family in (("ip", 4), ("ip6", 6)):
        text = call.arg(name)
        if text and text != ABSENT:
            found[family] = _address_pattern(name, text)
    return found


def _address_pattern(name: str, text: str) -> re.Pattern[str]:
    # Addresses are short, and with so few repetitions no pattern takes long.
    if len(text) > MAX_PATTERN or text.count("*") > MAX_REPEATS or set(text) & set("(){}+?|"):
        raise errors.InvalidValue(name, "it must be an address, or the beginning of one with . and * for the rest")
    try:
        return re.compile(text)
    except re.error:
        raise errors.InvalidValue(name, f"'{text}' is no regular expression") from None


def page_request(call: Call) -> PageRequest:
    """Which page; servers are ordered by the time of their creation alone."""
    keys = [key for key in call.args("sort_key") if key != ABSENT]
    if keys and keys[0] != "created_at":
        raise errors.InvalidValue("sort_key", f"servers cannot be sorted by '{keys[0]}'",
                                  remedy="Sort by created_at, or at your side.")
    direction = call.arg("sort_dir") or "desc"
    if direction not in ("asc", "desc"):
        raise errors.InvalidValue("sort_dir", f"'{direction}' is neither asc nor desc")
    marker = call.arg("marker")
    own = ids.parse_uuid(marker) if marker else None
    if marker and own is None:
        raise errors.InvalidMarker(f"Marker {marker} could not be found.")
    return PageRequest(limit=limit_of(call), marker=own, reverse=direction == "asc")
