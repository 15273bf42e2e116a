"""The small schemas that others are made of."""

from stackd.api.openstack.compute.microversions import Schema

TEXT: Schema = {"type": "string", "maxLength": 255}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"], "maxLength": 255}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^\S(.*\S)?\Z"}
FLAG: Schema = {"enum": [True, False, "True", "False", "true", "false", "1", "0", "on", "off", "yes", "no"]}
COUNT: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}]}
LIMIT: Schema = {"anyOf": [{"type": "integer", "minimum": -1, "maximum": 2**31 - 1},
                           {"type": "string", "pattern": "^(-1|[0-9]{1,9})$"}]}
UUID: Schema = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"}
METADATA: Schema = {"type": "object", "additionalProperties": False,
                    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}}}
NOTHING: Schema = {"enum": [[], {}, None]}


def true(value: object) -> bool:
    """Whether a flag is set, in any of the ways to write it."""
    return str(value).lower() in ("true", "1", "on", "yes")


def exactly(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def several(item: Schema, most: int = 1000) -> Schema:
    """A list."""
    return {"type": "array", "items": item, "maxItems": most}
