"""Who may do what: one table from rule to the role it needs, asked by every use case first.

Admin includes member includes reader; each of them may read images, as those may who may do nothing else. Whether a
resource is the caller's own is a second question, answered with :func:`may_see`; a foreign resource is *not found*,
never *not allowed*.
"""

from stackd import errors
from stackd.model.callers import ADMIN, IMAGE_READER, MEMBER, READER, Caller

_INCLUDED = {
    READER: frozenset({READER, MEMBER, ADMIN}),
    MEMBER: frozenset({MEMBER, ADMIN}),
    ADMIN: frozenset({ADMIN}),
    IMAGE_READER: frozenset({IMAGE_READER, READER, MEMBER, ADMIN}),
}


def demand(caller: Caller, role: str, action: str) -> None:
    """Raise ``NotAllowed`` unless the caller holds ``role``; ``action`` in words for the message.

    Every role but admin also needs a project to act in.
    """
    if not caller.roles & _INCLUDED[role]:
        raise errors.NotAllowed(f"Policy does not allow {caller.user_name} to {action}: it needs the role {role}.")
    if not caller.project_id and not caller.is_admin:
        raise errors.NotAllowed(f"An unscoped token cannot {action}.", remedy="Ask for a token scoped to a project.")


def may_see(caller: Caller, project_id: str) -> bool:
    """Whether the caller may know that a resource of this project exists."""
    return caller.is_admin or caller.project_id == project_id


def demand_own(caller: Caller, kind: str, id: str, project_id: str) -> None:
    """Raise ``NotFound`` unless the resource belongs to the caller's project (or the caller is an admin)."""
    if not may_see(caller, project_id):
        raise errors.NotFound(kind, id)
