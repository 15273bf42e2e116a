"""From a body to what is wanted: a new image, or a change of one from a JSON patch.

A patch becomes a pure function from image to image, which the registry runs inside its transaction: two patches
at once cannot lose each other's work. The flat body mixes our fields with the user's properties; the rules
which name is what stand here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jsonschema
from attrs import evolve, frozen

from stackd import errors
from stackd.api.openstack.image import schemas
from stackd.model import ids
from stackd.model.images import Image, ImageStatus, NewImage, Visibility

MEDIA_TYPES = {
    "application/openstack-images-v2.1-json-patch": 1,
    "application/openstack-images-v2.0-json-patch": 0,
}
_RENAMED = {"os_hidden": "hidden"}
_DEFAULTS: Mapping[str, Any] = {"name": "", "owner": None, "visibility": Visibility.SHARED}
_FORMATS = ("disk_format", "container_format")
_VALIDATORS = {name: jsonschema.Draft202012Validator(shape) for name, shape in schemas.WRITABLE.items()}
_PROPERTY = jsonschema.Draft202012Validator(schemas.PROPERTY)


@frozen
class Step:
    """One operation of a patch: ``add``, ``replace`` or ``remove`` the field ``name``."""

    operation: str
    name: str
    value: Any = None


def new_image(body: Mapping[str, Any]) -> NewImage:
    """What a create asks for; raises ``NotAllowed`` for fields that are ours, ``InvalidValue``."""
    properties = {name: value for name, value in body.items() if name not in schemas.WRITABLE}
    for name, value in properties.items():
        _demand_property(name, value)
    known = {name: value for name, value in body.items() if name in schemas.WRITABLE and name != "id"}
    given = {_RENAMED.get(name, name): _inside(name, value) for name, value in known.items()}
    return NewImage(id=ids.parse_uuid(body["id"]) if "id" in body else None, properties=properties, **given)


def steps(content_type: str, body: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The operations of a patch; raises ``UnsupportedMediaType`` and ``Malformed``."""
    media = content_type.split(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise errors.UnsupportedMediaType(f"Images are not changed with {media or 'no content type'}.",
                                          remedy=f"Send {', '.join(MEDIA_TYPES)}.")
    return tuple(_step(item if MEDIA_TYPES[media] else _from_draft_4(item)) for item in body)


def change(many: Sequence[Step]) -> Callable[[Image], Image]:
    """The function that makes the steps, one after the other; it raises what is wrong with them."""
    def apply(image: Image) -> Image:
        for step in many:
            image = _apply(image, step)
        return image
    return apply


def _step(item: Mapping[str, Any]) -> Step:
    operation, path = item.get("op"), item.get("path")
    if operation not in ("add", "replace", "remove"):
        raise errors.Malformed(f"Operation {operation!r} is not one of add, replace, remove.")
    if not isinstance(path, str) or not path.startswith("/") or path.count("/") != 1 or len(path) < 2:
        raise errors.Malformed(f"Path {path!r} does not name a field of an image.", remedy="Write it as /name.")
    if operation != "remove" and "value" not in item:
        raise errors.Malformed(f"Operation {operation} on {path} needs a value.")
    return Step(operation, path[1:].replace("~1", "/").replace("~0", "~"), item.get("value"))


def _from_draft_4(item: Mapping[str, Any]) -> Mapping[str, Any]:
    # The older form: {"replace": "/name", "value": "..."}.
    found = [operation for operation in ("add", "replace", "remove") if operation in item]
    if len(found) != 1:
        raise errors.Malformed("Each operation must be exactly one of add, replace, remove.")
    return {**item, "op": found[0], "path": item[found[0]]}


def _apply(image: Image, step: Step) -> Image:
    if step.name in schemas.WRITABLE and step.name != "id":
        return _set_field(image, step)
    if step.operation == "remove":
        _demand_name(step.name)
    else:
        _demand_property(step.name, step.value)
    if step.operation != "add" and step.name not in image.properties:
        raise errors.Conflict(f"Image {ids.dashed(image.id)} has no property {step.name}.",
                              remedy="Look at the image again, or add the property.")
    properties = {name: value for name, value in image.properties.items() if name != step.name}
    if step.operation != "remove":
        properties[step.name] = step.value
    return evolve(image, properties=properties)


def _set_field(image: Image, step: Step) -> Image:
    if step.operation == "remove":
        raise errors.NotAllowed(f"Property {step.name} is part of every image and cannot be removed.",
                                remedy="Replace its value instead.")
    if step.name in _FORMATS and image.status is not ImageStatus.QUEUED:
        raise errors.NotAllowed(f"{step.name} can only be changed while an image is queued.",
                                remedy="Create a new image with the right format.")
    _demand(step.name, _VALIDATORS[step.name], step.value)
    if step.name == "owner" and not step.value:
        raise errors.InvalidValue("owner", "an image belongs to a project")
    return evolve(image, **{_RENAMED.get(step.name, step.name): _inside(step.name, step.value)})


def _inside(name: str, value: Any) -> Any:
    if name == "visibility":
        return Visibility(value)
    if name == "tags":
        return tuple(dict.fromkeys(value))
    return _DEFAULTS.get(name) if value is None else value


def _demand_name(name: str) -> None:
    if name in schemas.READ_ONLY or name == "id":
        raise errors.NotAllowed(f"Attribute '{name}' is read-only.", remedy="Leave it out.")
    if name in schemas.RESERVED:
        raise errors.NotAllowed(f"Attribute '{name}' is reserved.", remedy="Choose another name.")
    if not name or len(name) > 255:
        raise errors.InvalidValue("property", "its name must have 1 to 255 characters")


def _demand_property(name: str, value: Any) -> None:
    _demand_name(name)
    _demand(name, _PROPERTY, value)


def _demand(name: str, validator: Any, value: Any) -> None:
    problem = next(validator.iter_errors(value), None)
    if problem is not None:
        raise errors.InvalidValue(name, problem.message)


