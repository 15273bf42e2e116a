"""TOML -> :class:`Config`: everything that is wrong is told at once, with the key, the reason and what is allowed.

Daemons and ``stackd`` call :func:`load_file`; nobody else reads configuration.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast, get_origin

import attrs

from stackd.config.keys import CHECK, Check
from stackd.config.sections import Config
from stackd.errors import BadConfiguration

TYPE_WORDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def load_file(path: Path) -> Config:
    """The configuration in this file; raises ``BadConfiguration`` with one line for each error."""
    try:
        return load(path.read_text(), str(path))
    except OSError as error:
        raise BadConfiguration(f"The configuration {path} cannot be read: {error.strerror}.") from error


def load(text: str, source: str = "the configuration") -> Config:
    """The configuration in this text; ``source`` names it in errors."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{source} is no TOML: {error}.") from error
    complaints: list[str] = []
    config = cast(Config, record(Config, tree, "", complaints))
    if complaints:
        raise BadConfiguration(f"{source} has {len(complaints)} errors:\n  " + "\n  ".join(complaints) + "\n")
    return config


def record(cls: type, tree: Mapping[str, Any], path: str, complaints: list[str], check: Check | None = None) -> Any:
    """The record of this table; what is wrong is added to ``complaints`` and replaced by the default."""
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(cls))}
    complaints += [unknown(path + name, name, fields) for name in tree if name not in fields]
    given = {}
    for name, field in fields.items():
        if name not in tree:
            continue
        found: list[str] = []
        own = field.metadata.get(CHECK) or check
        if attrs.has(field.type):
            given[name] = table(field, tree[name], f"{path}{name}.", found, own)
        else:
            words = wrong_value(field.type, tree[name], own)
            shown = repr(tree[name]) if field.repr else "***"
            found += [f"{path}{name} = {shown}: must be {words}"] if words else []
            if not found:
                given[name] = tree[name]
        complaints += found
    return cls(**given)


def table(field: Any, value: Any, path: str, complaints: list[str], check: Check | None) -> Any:
    """The record of one section."""
    if not isinstance(value, dict):
        complaints.append(f"{path[:-1]}: must be a table, [{path[:-1]}]")
        value = {}
    return record(field.type, value, path, complaints, check)


def unknown(path: str, name: str, known: Iterable[str]) -> str:
    """Words for a key nobody reads, with the likeliest one that was meant."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{path}: unknown; {hint}"


def wrong_value(kind: Any, value: Any, check: Check | None) -> str:
    """What the value must be, in words; empty when it is."""
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return "a list of texts in quotes"
        value = tuple(value)
    elif not of_type(kind, value):
        return TYPE_WORDS[kind]
    return check(value) if check else ""


def of_type(kind: type, value: Any) -> bool:
    """Whether the TOML value is of this type; a whole number is a number, true and false are not."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)
