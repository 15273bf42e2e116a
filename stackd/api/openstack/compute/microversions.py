"""Microversions: how a request names one, and tables whose rows hold for a span of them.

What a version changed is never asked in code: fields of views, properties of schemas and whole routes are rows
with the version that brought them (``since``) and the one that took them away (``until``, itself excluded).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

import jsonschema
from attrs import field, frozen
from twisted.web.http import Request

from stackd import errors

T = TypeVar("T")
Version = tuple[int, int]
Schema = dict[str, Any]

LOWEST: Version = (2, 1)
HIGHEST: Version = (2, 74)
NEW_NAME, OLD_NAME = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"
_NUMBER = re.compile(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)")


def text_of(version: Version) -> str:
    """A version as clients write it."""
    return f"{version[0]}.{version[1]}"


def asked(request: Request) -> Version:
    """The version a request asks for, the lowest when it says nothing; raises when it cannot be had."""
    wanted = _wanted(request)
    if wanted is None:
        return LOWEST
    if wanted == "latest":
        return HIGHEST
    match = _NUMBER.fullmatch(wanted)
    if match is None:
        raise errors.Malformed(f"API Version String {wanted} is of invalid format.",
                               remedy="Name a version like 2.1, or latest.")
    version = int(match[1]), int(match[2])
    if not LOWEST <= version <= HIGHEST:
        raise errors.UnsupportedVersion(
            f"Version {wanted} is not supported by the API. Minimum is {text_of(LOWEST)} and maximum is "
            f"{text_of(HIGHEST)}.", remedy="Ask for a version in between.")
    return version


def _wanted(request: Request) -> str | None:
    for each in (request.getHeader(NEW_NAME) or "").split(","):
        service, _, version = each.strip().partition(" ")
        if service.lower() == "compute":
            return version.strip()
    old: str | None = request.getHeader(OLD_NAME)
    return old.strip() if old is not None else None


def headers(version: Version) -> Mapping[str, str]:
    """What tells a client the version of its answer."""
    return {NEW_NAME: f"compute {text_of(version)}", OLD_NAME: text_of(version), "Vary": f"{NEW_NAME}, {OLD_NAME}"}


@frozen(kw_only=True)
class Span:
    """The versions from ``since`` until just before ``until``; None is for ever."""

    since: Version = LOWEST
    until: Version | None = None

    def holds(self, version: Version) -> bool:
        """Whether the version is within."""
        return self.since <= version and (self.until is None or version < self.until)


@frozen
class Shown(Span, Generic[T]):
    """One field of a view: how it is made of a record, when it is shown, and whether to admins alone."""

    name: str
    of: Callable[[T], Any]
    admin: bool = field(default=False, kw_only=True)


def view(rows: Iterable[Shown[T]], record: T, version: Version, admin: bool = False) -> dict[str, Any]:
    """The fields that this version shows."""
    return {row.name: row.of(record) for row in rows if row.holds(version) and (admin or not row.admin)}


@frozen
class Property(Span):
    """One property of a body: its schema, and the versions that take it."""

    name: str
    schema: Schema
    required: bool = field(default=False, kw_only=True)


class Body:
    """The schema of a request body over all versions: ``{word: {properties}}``, nothing else allowed."""

    def __init__(self, word: str | None, *properties: Property, beside: Iterable[Property] = (), least: int = 0,
                 optional: bool = False, inner: Schema | None = None) -> None:
        """At least ``least`` properties, or, where ``optional``, null; ``inner`` stands in place of properties.

        What is ``beside`` stands next to the word. Without a word the properties are the whole body.
        """
        self.word = word or ""
        self._properties = properties
        self._beside = tuple(beside)
        self._least = least
        self._optional = optional
        self._inner = inner

    @cached_property
    def _validators(self) -> dict[Version, Any]:
        """By the version that brought them: only versions that differ from the one before."""
        rows = (*self._properties, *self._beside)
        steps = {LOWEST, *(row.since for row in rows), *(row.until for row in rows if row.until)}
        return {step: jsonschema.Draft202012Validator(self._schema(step), format_checker=jsonschema.FormatChecker())
                for step in sorted(steps)}

    def _schema(self, version: Version) -> Schema:
        inner = self._inner
        if inner is None:
            inner = _object(self._properties, version) | {"minProperties": self._least}
        if self._optional:
            inner = {"anyOf": [inner, {"type": "null"}]}
        if not self.word:
            return inner
        outer = _object(self._beside, version)
        return outer | {"properties": {self.word: inner, **outer["properties"]}, "required": [self.word]}

    def validator(self, version: Version) -> Any:
        """What checks a body of this version."""
        return self._validators[max(step for step in self._validators if step <= version)]


def _object(rows: Iterable[Property], version: Version) -> Schema:
    held = [row for row in rows if row.holds(version)]
    return {"type": "object", "properties": {row.name: row.schema for row in held},
            "required": [row.name for row in held if row.required], "additionalProperties": False}
