"""Bodies from their schemas, then bent: every value a schema describes, and junk in place of any of them."""

from collections.abc import Mapping
from random import Random
from typing import Any

DEEP: Any = "bottom"
for _ in range(500):
    DEEP = [DEEP]
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -1e300, 2**31, 2**63, 2**64, 10**30, "", " ", "\0", "a\0b", "\ud7ff\uffff",
    "\u202e\u0000\U0001f4a9", "x" * 300, "x" * 70_000, "../../etc/passwd", "-rf", "--help", "%00%ff", "'; DROP TABLE",
    "${jndi:x}", "<a>&amp;]]>", "a\r\nX-Evil: 1", [], {}, [[]], [None], {"": ""}, {"a": {"b": {}}}, [1] * 2000,
    "9" * 5000, "0x10", "1e3", "NaN", "\u0661\u0662", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "::1",
    "10.0.0.0/8", "0.0.0.0/0", "255.255.255.255", "fe80::1%eth0", DEEP)
SEGMENTS = (
    "%00", "%2e%2e%2f%2e%2e", "%ff%fe", "-", "0", "None", "null", "x" * 300, "%F0%9F%92%A9", "%0d%0aX-Evil:1",
    "00000000-0000-0000-0000-000000000000", "g" * 32, "'%20OR%201=1--", "%25s%25n", "a%20b", "detail", "~", "%3Cxml%3E")
ARGUMENTS = (
    "limit=-1", "limit=" + "9" * 5000, "limit=%00", "limit=1&limit=2", "limit=0", "limit=%D9%A1", "marker=%00",
    "marker=nothing", "marker=00000000-0000-0000-0000-000000000000", "sort_key=%00", "sort_key=name&sort_dir=up",
    "sort_key=nothing", "sort_dir=asc", "name=%25%27", "name=%00", "name=%ff", "unknown=1", "unknown", "=", "&&&&",
    "fields=id&fields=", "all_tenants=1", "all_tenants=x", "status=x", "changes-since=x", "created_at=gt:x",
    "created_at=lt:0001-01-01T00:00:00%2B23:59", "changes-since=9999-12-31T23:59:59-23:59", "size_min=" + "9" * 30,
    "size_min=-1", "ip=(((", "ip=.*.*.*.*.*x", "tag=x", "visibility=x", "fixed_ips=ip_address", "device_id=%00",
    "reservation_id=%00", "flavor=%00", "minRam=" + "9" * 5000, "is_public=maybe", "user_id=%00", "%00=%00",
    "sort=a:b:c", "sort=,", "name=in:%22", "id=in:", "project_id=%00", "metadata=%7B", "metadata=[]", "deleted=x")


def valid(schema: Any, random: Random, ids: tuple[str, ...], depth: int = 0) -> Any:
    """A value of the schema, or close to one."""
    if not isinstance(schema, Mapping) or depth > 8:
        return random.choice(JUNK)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(list(schema["enum"]))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return valid(random.choice(list(schema[word])), random, ids, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = random.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        return _object(schema, random, ids, depth)
    if kind == "array":
        return [valid(schema.get("items", {"type": "string"}), random, ids, depth + 1)
                for _ in range(min(random.randrange(3), schema.get("maxItems", 3)))]
    return {"integer": lambda: random.choice((schema.get("minimum", 1), schema.get("maximum", 7), 1)),
            "boolean": lambda: random.random() < 0.5, "null": lambda: None,
            "number": lambda: 1.5}.get(kind, lambda: random.choice((*ids, "a name", "10.9.0.0/24", "t2.nano", "")))()


def _object(schema: Mapping[str, Any], random: Random, ids: tuple[str, ...], depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    return {name: valid(inner, random, ids, depth + 1) for name, inner in schema.get("properties", {}).items()
            if name in required or depth == 0 or random.random() < 0.5}


def bent(value: Any, random: Random) -> Any:
    """The same with junk at one place."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name = random.choice(list(value))
        if random.random() < 0.1:
            return {**value, random.choice(("unknown", "", "\0", "x" * 300)): random.choice(JUNK)}
        return {**value, name: bent(value[name], random)}
    if isinstance(value, list) and value and random.random() < 0.7:
        place = random.randrange(len(value))
        return [*value[:place], bent(value[place], random), *value[place + 1:]]
    return random.choice(JUNK)
