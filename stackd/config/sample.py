"""Writes ``conf/stackd.toml.sample`` from the classes; a test compares. Run it: ``python -m stackd.config.sample``."""

from collections.abc import Iterator
from typing import Any

import attrs
import orjson

from stackd.config.keys import DOC
from stackd.config.sections import Config

HEAD = """\
# The configuration of stackd: every key with its default. Durations are in seconds.
# Made by 'python -m stackd.config.sample'; remove the # before a key to change it.
"""


def render(config: Config) -> str:
    """The sample with the values of this configuration."""
    lines = [HEAD.rstrip()]
    for field in attrs.fields(Config):
        lines += ["", f"# {field.metadata[DOC]}", f"[{field.name}]", *keys(getattr(config, field.name))]
    return "\n".join(lines) + "\n"


def keys(section: Any) -> Iterator[str]:
    """Each key with its words above it."""
    for field in attrs.fields(type(section)):
        if DOC in field.metadata:
            yield f"# {field.metadata[DOC]}"
        yield f"#{field.name} = {toml(getattr(section, field.name))}"


def toml(value: Any) -> str:
    """A text, number, truth value or list of texts as TOML, which writes these as JSON does."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return orjson.dumps(value).decode()


if __name__ == "__main__":
    print(render(Config()), end="")
