"""Drivers by name: an entry point group and a name give a driver object that was checked against its interface.

A name in the configuration picks one; third parties add theirs in their own packages. The module of a driver is
imported only when it is picked, so a library that only one driver needs may be absent everywhere else. The
wiring in ``daemons/`` calls it; everything that can be wrong is one ``BadConfiguration`` that names the cure.
"""

from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

from zope.interface import Interface
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from stackd.errors import BadConfiguration

Points = Callable[[str], Iterable[metadata.EntryPoint]]


def installed(group: str) -> Iterable[metadata.EntryPoint]:
    """The entry points of a group in every installed package."""
    return metadata.entry_points(group=group)


def names(group: str, points: Points = installed) -> tuple[str, ...]:
    """The drivers that can be named, sorted; nothing is imported."""
    return tuple(sorted({point.name for point in points(group)}))


def load(group: str, name: str, points: Points = installed) -> Callable[..., Any]:
    """The class or function that makes the driver ``name`` of ``group``; imports its module.

    Raises ``BadConfiguration`` for an unknown name, an import that fails, and something that cannot be called.
    """
    found = next((point for point in points(group) if point.name == name), None)
    if found is None:
        known = ", ".join(names(group, points)) or "none is installed"
        raise BadConfiguration(f"There is no driver {name!r} in {group}; known ones: {known}.",
                               remedy="Name one of them, or install the package that provides it.")
    try:
        factory = found.load()
    except Exception as error:
        raise BadConfiguration(f"The driver {name!r} of {group} ({found.value}) cannot be imported: "
                               f"{type(error).__name__}: {error}.",
                               remedy="Install what it needs, for example with an extra such as stackd[libvirt].",
                               ) from error
    if not callable(factory):
        raise BadConfiguration(f"The driver {name!r} of {group} ({found.value}) cannot be called.",
                               remedy="Its entry point must name a class or function that makes the driver.")
    return factory  # type: ignore[no-any-return]


def make(group: str, name: str, interface: type[Interface], *args: Any, points: Points = installed,
         **kwargs: Any) -> Any:
    """The driver made with these arguments, verified to provide ``interface``; raises ``BadConfiguration``."""
    driver = load(group, name, points)(*args, **kwargs)
    try:
        verifyObject(interface, driver)
    except Invalid as error:
        raise BadConfiguration(f"The driver {name!r} of {group} is no {interface.__name__}: {error}",
                               remedy="Use a driver made for this version of stackd.") from error
    return driver
