"""The layers of the architecture: every import in the sources is checked against one table.

A module imports only from lower levels and from its own package; what it needs beyond that is handed to its
constructor. Imports inside functions and for type checking count as well.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LEVELS = (
    {"errors", "model"},
    {"interfaces", "config"},
    {"rules"},
    {"store", "bus", "reconcile", "drivers"},
    {"core"},
    {"api", "imageservice", "scheduler", "conductor", "workers", "console", "dashboard"},
    {"daemons", "cli", "testing"},
)

# Side by side, yet one is made of the other.
ALSO_ALLOWED = {"model": {"errors"}, "cli": {"daemons", "testing"}, "testing": {"daemons", "cli"}}

# Narrower than their level.
ONLY = {
    "api": {"core", "model", "errors", "config", "interfaces"},
    "dashboard": {"model", "errors", "config"},
}
NEVER = {"workers": {"store", "core"}, "core": {"drivers", "bus"}}

# Third-party packages that one package alone may import.
OWNED = {
    "sqlalchemy": {"store", "testing"},  # builders of rows for tests
    "alembic": {"store"},
    "txamqp": {"bus"},
    "libvirt": {"drivers", "cli", "testing"},
    "pyroute2": {"drivers", "cli", "testing"},
    "klein": {"api", "imageservice", "console", "dashboard", "daemons", "testing"},
}

REACTOR = "twisted.internet.reactor"


def sources(*folders: str) -> Iterator[Path]:
    """All modules under these folders of the repository."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "." * node.level
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def package_of(path: Path) -> str:
    """The package of stackd a module belongs to."""
    return path.relative_to(ROOT / "stackd").parts[0].removesuffix(".py")


def level_of(package: str) -> int:
    """The level of a package, 0 is the lowest."""
    return next(number for number, packages in enumerate(LEVELS) if package in packages)


def allowed(importer: str, imported: str) -> bool:
    """Whether a module of one package may import from the other."""
    if importer == imported:
        return True
    if importer in ONLY:
        return imported in ONLY[importer]
    if imported in NEVER.get(importer, ()):
        return False
    return level_of(imported) < level_of(importer) or imported in ALSO_ALLOWED.get(importer, ())


def complaint(path: Path, name: str) -> str | None:
    """What is wrong with this import in this module of stackd; None when nothing is."""
    importer = package_of(path)
    top, _, rest = name.partition(".")
    if name.startswith("."):
        return "relative import: write the full name"
    if name == REACTOR and level_of(importer) < len(LEVELS) - 1:
        return "imports the reactor: take it as a constructor argument"
    if importer not in OWNED.get(top, {importer}):
        return f"imports {top}, which belongs to {', '.join(sorted(OWNED[top]))}"
    imported = rest.split(".")[0]
    if top == "stackd" and not allowed(importer, imported):
        return f"{importer} must not import {imported}"
    return None


def test_every_package_has_a_level() -> None:
    """A new package must be put in its place on purpose."""
    there = {package_of(path) for path in sources("stackd")} - {"__init__"}
    assert not there - set().union(*LEVELS), "name its level in tests/test_layers.py and in the architecture"


def test_imports_keep_to_the_layers() -> None:
    """All offenders at once, each with its line."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {words} ({name})"
        for path in sources("stackd")
        for line, name in imports(path)
        if (words := complaint(path, name))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_nobody_uses_mock() -> None:
    """Fakes that pass the contract suites stand in instead."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources("stackd", "tests", "bench")
        for line, name in imports(path)
        if name.split(".")[0] == "mock" or name.startswith(("unittest.mock", "pytest_mock"))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(("module", "name", "well"), [
    ("core/instances.py", "stackd.store.instances", True),
    ("core/instances.py", "stackd.api.ec2.views", False),
    ("core/instances.py", "stackd.drivers.loading.load", False),
    ("store/hosts.py", "stackd.bus.memory", False),
    ("store/hosts.py", "sqlalchemy.select", True),
    ("workers/compute.py", "sqlalchemy.select", False),
    ("workers/compute.py", "stackd.store.hosts", False),
    ("workers/compute.py", "stackd.rules.plans.instance", True),
    ("api/ec2/site.py", "stackd.core.instances", True),
    ("api/ec2/site.py", "stackd.rules.policy", False),
    ("rules/phases.py", "stackd.store.hosts", False),
    ("bus/memory.py", REACTOR, False),
    ("daemons/api.py", REACTOR, True),
    ("drivers/files.py", "..", False),
])
def test_the_table_itself(module: str, name: str, well: bool) -> None:
    """The check sees what it must see."""
    assert (complaint(ROOT / "stackd" / module, name) is None) == well
