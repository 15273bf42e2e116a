"""The shape of the metadata tree, and how a path is answered from it. Pure; ``ec2`` and ``openstack`` grow trees.

A directory is a mapping; a leaf is text, or :data:`USER_DATA`, which the service fetches only when asked for.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeAlias

from attrs import frozen


class Fetched(Enum):
    """Leaves whose bytes are not on the host."""

    USER_DATA = "user-data"


USER_DATA = Fetched.USER_DATA


@frozen
class Labelled:
    """A child that its parent's listing shows under other words than its name."""

    label: str
    node: "Node"


Node: TypeAlias = str | Fetched | Labelled | Mapping[str, "Node"]
Directory: TypeAlias = Mapping[str, Node]


def find(tree: Directory, path: Iterable[str]) -> Node | None:
    """What stands at a path, given by its segments; None when there is nothing."""
    node: Node = tree
    for segment in path:
        if not isinstance(node, Mapping) or segment not in node:
            return None
        child = node[segment]
        node = child.node if isinstance(child, Labelled) else child
    return node


def listing(directory: Directory) -> str:
    """The names in a directory, one a line; those of directories end in a slash."""
    return "\n".join(_shown(name, node) for name, node in sorted(directory.items()))


def pruned(directory: Mapping[str, Node | None]) -> Directory:
    """The directory without the children that are None."""
    return {name: node for name, node in directory.items() if node is not None}


def _shown(name: str, node: Node) -> str:
    if isinstance(node, Labelled):
        return node.label
    return f"{name}/" if isinstance(node, Mapping) else name
