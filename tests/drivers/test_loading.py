"""Picking a driver by name: the three ways it goes wrong are told apart, and nothing else is imported."""

from importlib.metadata import EntryPoint

import pytest
from zope.interface import Interface, implementer

from stackd.drivers import loading
from stackd.errors import BadConfiguration

GROUP = "stackd.testdrivers"


class IGreeting(Interface):
    """What the drivers here offer."""

    def greet(name: str) -> str:
        """Say hello."""


@implementer(IGreeting)
class Polite:
    """A right one."""

    def __init__(self, word: str) -> None:
        self.word = word

    def greet(self, name: str) -> str:
        """Say hello."""
        return f"{self.word} {name}"


@implementer(IGreeting)
class Rude:
    """Claims the interface and lacks the method."""


NOT_CALLABLE = "just text"


def points(group: str) -> list[EntryPoint]:
    """The entry points as installed packages would give them."""
    assert group == GROUP
    here = __name__
    return [EntryPoint("polite", f"{here}:Polite", group), EntryPoint("rude", f"{here}:Rude", group),
            EntryPoint("text", f"{here}:NOT_CALLABLE", group),
            EntryPoint("broken", "stackd_no_such_package.driver:Driver", group)]


def test_a_named_driver_is_made_with_its_arguments() -> None:
    driver = loading.make(GROUP, "polite", IGreeting, "hello", points=points)
    assert driver.greet("moon") == "hello moon"


def test_an_unknown_name_lists_the_known_ones_and_imports_none() -> None:
    with pytest.raises(BadConfiguration) as caught:
        loading.make(GROUP, "polit", IGreeting, points=points)
    assert "'polit'" in str(caught.value)
    assert "broken, polite, rude, text" in str(caught.value)


def test_an_empty_group_says_so() -> None:
    with pytest.raises(BadConfiguration, match="none is installed"):
        loading.load(GROUP, "polite", lambda group: ())


def test_a_failed_import_names_the_module_and_the_reason() -> None:
    with pytest.raises(BadConfiguration, match="cannot be imported.*stackd_no_such_package"):
        loading.load(GROUP, "broken", points)


def test_a_wrong_interface_names_the_interface_and_what_lacks() -> None:
    with pytest.raises(BadConfiguration, match="is no IGreeting.*greet"):
        loading.make(GROUP, "rude", IGreeting, points=points)


def test_something_that_cannot_be_called_is_no_driver() -> None:
    with pytest.raises(BadConfiguration, match="cannot be called"):
        loading.load(GROUP, "text", points)
