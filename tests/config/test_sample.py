"""The sample in ``conf/`` says what the classes say."""

import re
from pathlib import Path

import attrs

from stackd.config.loading import load
from stackd.config.sample import render
from stackd.config.sections import Config

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
