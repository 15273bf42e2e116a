"""The sample in ``conf/`` says what the classes say."""

import ast
import re
from pathlib import Path

import attrs

from stackd.config.loading import load
from stackd.config.sample import render
from stackd.config.sections import Config

STACKD = Path(__file__).parents[2] / "stackd"
SAMPLE = Path(__file__).parents[2] / "conf/stackd.toml.sample"


def test_the_sample_is_up_to_date() -> None:
    """Write it anew with ``python -m stackd.config.sample > conf/stackd.toml.sample``."""
    assert SAMPLE.read_text() == render(Config())


def test_the_sample_with_every_key_taken_is_the_default() -> None:
    """So each key of the sample is known and its default allowed."""
    taken = re.sub(r"^#(\w+ = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    assert taken.count(" = ") > 30
    assert load(taken) == Config()


def test_a_changed_configuration_survives_writing_and_reading() -> None:
    """Values keep their types."""
    config = load("[cloud]\nzones = [\"z\"]\n[scheduler]\ncpu_allocation_ratio = 16.5\n[quotas]\nram = -1")
    assert load(re.sub(r"^#(\w+ = )", r"\1", render(config), flags=re.MULTILINE)) == config


def test_every_section_says_what_it_is() -> None:
    """Each section, and each key that is declared here."""
    assert all(field.metadata["doc"].endswith(".") for field in attrs.fields(Config))


def test_every_key_is_read_by_somebody() -> None:
    """A key that changes nothing would be a promise that is not kept."""
    words = {node.attr for path in STACKD.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Attribute)}
    keys = {(section.name, key.name) for section in attrs.fields(attrs.resolve_types(Config))
            for key in attrs.fields(section.type)}
    assert {(section, key) for section, key in keys if key not in words} == set()
