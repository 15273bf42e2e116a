"""The rules of the house that a machine can check: sizes, docstrings, names, and things we do not do.

Each test lists every offender with its line.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES_OF_A_FILE = 500
MOST_LINES_OF_A_FUNCTION = 50
MEDIAN_LINES_OF_A_FUNCTION = 12
LONG_BY_NATURE = {"tables", "schemas", "versions"}

BANNED = {"manager", "handler", "helper", "util", "utils", "common", "engine", "processor", "data", "info"}
# The field's own words, and those of libraries whose methods we override.
STANDARD = re.compile(r"(user|network|vendor|meta|raw|vpc)_?data|dataReceived", re.IGNORECASE)
ALLOWED = {"engine": {"store", "testing"}}  # SQLAlchemy's word, in the packages that know SQLAlchemy
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "XX" + "X", "FIX" + "ME", "HA" + "CK")) + r")\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def modules(*folders: str) -> dict[Path, ast.Module]:
    """The syntax trees of all modules under these folders."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return {path: ast.parse(path.read_text()) for path in paths}


def place(path: Path, line: int = 1) -> str:
    """Where something stands, as editors understand it."""
    return f"{path.relative_to(ROOT)}:{line}"


def functions(tree: ast.Module) -> Iterator[Function]:
    """All functions and methods, also inner ones."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(node: ast.stmt) -> int:
    """How many lines a definition takes."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def public(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """The public classes and functions in here, and those within the classes; not what is inside functions."""
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def is_setter(node: Definition) -> bool:
    """Whether this is the second half of a property, whose first half has the docstring."""
    return any(isinstance(each, ast.Attribute) and each.attr in ("setter", "deleter") for each in node.decorator_list)


def words(name: str) -> set[str]:
    """The words of a name in snake or camel case, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", STANDARD.sub("", name))}


def names(path: Path, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name a module gives: its own, classes, functions, arguments and variables.

    Methods that override Twisted's keep the names of its arguments.
    """
    yield path.stem, 1
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            yield node.name, node.lineno
        if isinstance(node, Function) and not re.search(r"^write$|[a-z][A-Z]", node.name):
            yield from ((each.arg, each.lineno) for each in ast.walk(node.args) if isinstance(each, ast.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call of a plain dotted name."""
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def nothing(offenders: list[str]) -> None:
    """Fail with the whole list."""
    assert not offenders, f"{len(offenders)} offenders:\n" + "\n".join(offenders)


def test_files_are_short() -> None:
    """Over 500 lines nobody reads a file whole; tables and schemas are looked up, not read."""
    nothing([
        f"{place(path)}: {lines} lines"
        for path in modules("stackd", "tests", "twisted", "bench")
        if (lines := path.read_text().count("\n")) > MOST_LINES_OF_A_FILE
        and not LONG_BY_NATURE & {*path.parts, path.stem}
    ])


def test_functions_are_short() -> None:
    """Over 50 lines a function does two things."""
    nothing([
        f"{place(path, node.lineno)}: {node.name} has {length(node)} lines"
        for path, tree in modules("stackd", "tests", "bench").items() if "versions" not in path.parts
        for node in functions(tree) if length(node) > MOST_LINES_OF_A_FUNCTION
    ])


def test_most_functions_are_very_short() -> None:
    """The median over the product."""
    lengths = [length(node) for tree in modules("stackd").values() for node in functions(tree)]
    assert median(lengths) < MEDIAN_LINES_OF_A_FUNCTION


def test_everything_public_has_a_docstring() -> None:
    """Modules, classes, functions and methods, those of interfaces too."""
    missing = []
    for path, tree in modules("stackd", "tests", "bench").items():
        if not ast.get_docstring(tree):
            missing.append(f"{place(path)}: the module")
        if "stackd" in path.relative_to(ROOT).parts:
            missing += [
                f"{place(path, node.lineno)}: {node.name}"
                for node in public(tree) if not ast.get_docstring(node) and not is_setter(node)
            ]
    nothing(missing)


def test_docstrings_begin_with_a_sentence() -> None:
    """A capital or a quoted word first, a mark at the end of the first paragraph."""
    wrong = []
    for path, tree in modules("stackd").items():
        for node in (tree, *public(tree)):
            first = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
            if first and not re.search(r"[.:;!?)]$", first):
                wrong.append(f"{place(path, getattr(node, 'lineno', 1))}: {first!r}")
    nothing(wrong)


def test_names_say_something() -> None:
    """The banned words fit everything, so they say nothing."""
    nothing([
        f"{place(path, line)}: {name}"
        for path, tree in modules("stackd", "tests", "bench").items()
        for name, line in names(path, tree)
        for word in sorted(words(name) & BANNED)
        if not ALLOWED.get(word, set()) & {*path.parts}
    ])


def test_packages_hold_a_docstring_only() -> None:
    """``__init__.py`` re-exports nothing: a reader finds each thing where its import says."""
    nothing([
        f"{place(path)}: more than a docstring"
        for path, tree in modules("stackd").items()
        if path.name == "__init__.py" and (len(tree.body) != 1 or not ast.get_docstring(tree))
    ])


def test_nothing_is_left_unfinished() -> None:
    """What is missing stands in an issue, not in the sources."""
    paths = [path for folder in ("stackd", "tests", "twisted", "docs", "conf", "bench")
             for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".rst", ".sample", ".sh", ".txt")]
    nothing([
        f"{place(path, number)}: {line.strip()}"
        for path in (*paths, ROOT / "Makefile", ROOT / "README.rst", ROOT / "setup.cfg", ROOT / "pyproject.toml")
        for number, line in enumerate(path.read_text().splitlines(), 1) if UNFINISHED.search(line)
    ])


def test_news_fragments_are_numbered() -> None:
    """Two of a kind without numbers, and nobody can collect them."""
    nothing([
        place(path) for path in sorted((ROOT / "newsfragments").glob("*.*"))
        if not re.fullmatch(r"\d+\.(feature|bugfix|removal|misc)(\.\d+)?\.rst", path.name)
    ])


def test_commands_are_lists_and_never_go_through_a_shell() -> None:
    """A name with a quote in it must not become a command."""
    nothing([
        f"{place(path, call.lineno)}: {name}"
        for path, tree in modules("stackd", "tests", "bench").items()
        for name, call in calls(tree)
        if name in ("os.system", "os.popen", "subprocess.getoutput")
        or any(keyword.arg == "shell" for keyword in call.keywords)
    ])


def test_outside_commands_have_a_time_limit() -> None:
    """Nothing waits for ever."""
    nothing([
        f"{place(path, call.lineno)}: {name}"
        for path, tree in modules("stackd").items()
        for name, call in calls(tree)
        if name in ("subprocess.run", "subprocess.check_output", "subprocess.check_call")
        and not any(keyword.arg in ("timeout", None) for keyword in call.keywords)
    ])


def test_unit_tests_do_not_sleep() -> None:
    """They move a clock; only live tests meet real time."""
    nothing([
        f"{place(path, call.lineno)}: {name}"
        for path, tree in modules("tests").items() if "live" not in path.parts
        for name, call in calls(tree) if name in ("time.sleep", "sleep", "asyncio.sleep")
    ])


@pytest.mark.parametrize(("name", "expected"), [
    ("make_handler", {"make", "handler"}),
    ("HTTPManager", {"http", "manager"}),
    ("metadata", set()),
    ("MAX_USER_DATA", {"max"}),
])
def test_words_of_names(name: str, expected: set[str]) -> None:
    """The rule about names sees the words it must see, and no others."""
    assert words(name) == expected
