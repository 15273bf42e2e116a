"""Projects, users, roles and who holds which, in SQL. ``core.identity*`` calls it."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict, fields, frozen
from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from stackd.model.identities import Assignment, Project, Role, User
from stackd.model.paging import Page, PageRequest
from stackd.store.database import Transaction
from stackd.store.tables.identity import access_keys, application_credentials, projects, role_assignments, roles, users

_PROJECT = tuple(a.name for a in fields(Project) if a.name != "domain_id")
_USER = tuple(a.name for a in fields(User) if a.name != "domain_id")
_ROLE = tuple(a.name for a in fields(Role))


@frozen(kw_only=True)
class UserSecrets:
    """A user with what never leaves the core: the password's hash, and since when tokens count."""

    user: User
    password_hash: str
    valid_after: float


# --- projects -----------------------------------------------------------------------------------


def add_project(tx: Transaction, project: Project) -> None:
    """Insert one."""
    values = asdict(project, filter=lambda a, _: a.name in _PROJECT)
    tx.execute(insert(projects).values(**values, updated_at=tx.now))


def project_by_id(tx: Transaction, id: str) -> Project | None:
    """One project."""
    return _project(_first(tx, projects, _PROJECT, projects.c.id == id))


def project_by_name(tx: Transaction, name: str) -> Project | None:
    """One project by its name."""
    return _project(_first(tx, projects, _PROJECT, projects.c.name == name))


def account_taken(tx: Transaction, account: str) -> bool:
    """Whether a project has this account number."""
    return tx.execute(select(projects.c.id).where(projects.c.account == account)).first() is not None


def list_projects(tx: Transaction, page: PageRequest, name: str | None = None, enabled: bool | None = None,
                  user_id: str | None = None) -> Page[Project]:
    """Projects by name or of a user who holds any role in them, a page at a time in the order of ids."""
    query = _filtered(projects, _PROJECT, name, enabled)
    if user_id is not None:
        query = query.where(projects.c.id.in_(
            select(role_assignments.c.project_id).where(role_assignments.c.user_id == user_id)))
    return _page(tx, query, projects, page, Project, _PROJECT)


def change_project(tx: Transaction, id: str, changes: Mapping[str, Any]) -> bool:
    """Set columns; whether the project was there."""
    return _change(tx, projects, id, changes)


def remove_project(tx: Transaction, id: str) -> bool:
    """Delete a project with its assignments and credentials; whether it was there."""
    for table in (role_assignments, access_keys, application_credentials):
        tx.execute(delete(table).where(table.c.project_id == id))
    tx.execute(update(users).where(users.c.default_project_id == id).values(default_project_id=""))
    return tx.execute(delete(projects).where(projects.c.id == id)).rowcount == 1


# --- users --------------------------------------------------------------------------------------


def add_user(tx: Transaction, user: User, password_hash: str) -> None:
    """Insert one."""
    values = asdict(user, filter=lambda a, _: a.name in _USER)
    tx.execute(insert(users).values(**values, password_hash=password_hash, updated_at=tx.now))


def user_by_id(tx: Transaction, id: str) -> UserSecrets | None:
    """One user."""
    return _user(tx, users.c.id == id)


def user_by_name(tx: Transaction, name: str) -> UserSecrets | None:
    """One user by name."""
    return _user(tx, users.c.name == name)


def list_users(tx: Transaction, page: PageRequest, name: str | None = None,
               enabled: bool | None = None) -> Page[User]:
    """Users, a page at a time in the order of ids."""
    return _page(tx, _filtered(users, _USER, name, enabled), users, page, User, _USER)


def change_user(tx: Transaction, id: str, changes: Mapping[str, Any]) -> bool:
    """Set columns, the password's hash and ``valid_after`` among them; whether the user was there."""
    return _change(tx, users, id, changes)


def remove_user(tx: Transaction, id: str) -> bool:
    """Delete a user with all assignments and credentials; whether there was one."""
    for table in (role_assignments, access_keys, application_credentials):
        tx.execute(delete(table).where(table.c.user_id == id))
    return tx.execute(delete(users).where(users.c.id == id)).rowcount == 1


# --- roles --------------------------------------------------------------------------------------


def add_role(tx: Transaction, role: Role) -> None:
    """Insert one."""
    tx.execute(insert(roles).values(**asdict(role), created_at=tx.now, updated_at=tx.now))


def role_by_id(tx: Transaction, id: str) -> Role | None:
    """One role."""
    return _role(_first(tx, roles, _ROLE, roles.c.id == id))


def role_by_name(tx: Transaction, name: str) -> Role | None:
    """One role by name."""
    return _role(_first(tx, roles, _ROLE, roles.c.name == name))


def list_roles(tx: Transaction, page: PageRequest, name: str | None = None) -> Page[Role]:
    """Roles, a page at a time in the order of ids."""
    return _page(tx, _filtered(roles, _ROLE, name, None), roles, page, Role, _ROLE)


def change_role(tx: Transaction, id: str, changes: Mapping[str, Any]) -> bool:
    """Set columns; whether the role was there."""
    return _change(tx, roles, id, changes)


def remove_role(tx: Transaction, id: str) -> bool:
    """Delete a role, also where it is held; whether it was there."""
    tx.execute(delete(role_assignments).where(role_assignments.c.role_id == id))
    return tx.execute(delete(roles).where(roles.c.id == id)).rowcount == 1


def roles_held(tx: Transaction, user_id: str, project_id: str) -> tuple[Role, ...]:
    """The roles a user holds in a project, by name."""
    held = role_assignments
    query = select(*(roles.c[name] for name in _ROLE)).join(held, held.c.role_id == roles.c.id)
    found = tx.execute(query.where(held.c.user_id == user_id, held.c.project_id == project_id).order_by(roles.c.name))
    return tuple(Role(**dict(zip(_ROLE, row, strict=True))) for row in found)


def assign(tx: Transaction, user_id: str, project_id: str, role_id: str) -> None:
    """Let a user hold a role in a project; the caller has seen that it is not held yet."""
    tx.execute(insert(role_assignments).values(user_id=user_id, project_id=project_id, role_id=role_id))


def unassign(tx: Transaction, user_id: str, project_id: str, role_id: str) -> bool:
    """Take a role away; whether it was held."""
    held = role_assignments.c
    return tx.execute(delete(role_assignments).where(
        held.user_id == user_id, held.project_id == project_id, held.role_id == role_id)).rowcount == 1


def assignments(tx: Transaction, user_id: str | None = None, project_id: str | None = None,
                role_id: str | None = None) -> tuple[Assignment, ...]:
    """Who holds what where; None means no condition."""
    held = role_assignments.c
    query = select(held.user_id, held.project_id, roles.c.name, held.role_id).join(roles, roles.c.id == held.role_id)
    for column, wanted in ((held.user_id, user_id), (held.project_id, project_id), (held.role_id, role_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    found = tx.execute(query.order_by(held.project_id, held.user_id, roles.c.name))
    return tuple(Assignment(user_id=user, project_id=project, role=name, role_id=role)
                 for user, project, name, role in found)


# --- shared -------------------------------------------------------------------------------------


def _first(tx: Transaction, table: Any, names: tuple[str, ...], condition: ColumnElement[bool]) -> Row[Any] | None:
    return tx.execute(select(*(table.c[name] for name in names)).where(condition)).first()


def _project(row: Row[Any] | None) -> Project | None:
    return None if row is None else Project(**dict(zip(_PROJECT, row, strict=True)))


def _role(row: Row[Any] | None) -> Role | None:
    return None if row is None else Role(**dict(zip(_ROLE, row, strict=True)))


def _user(tx: Transaction, condition: ColumnElement[bool]) -> UserSecrets | None:
    row = _first(tx, users, (*_USER, "password_hash", "valid_after"), condition)
    if row is None:
        return None
    values = row._mapping
    return UserSecrets(user=User(**{name: values[name] for name in _USER}), password_hash=values["password_hash"],
                       valid_after=values["valid_after"])


def _filtered(table: Any, names: tuple[str, ...], name: str | None, enabled: bool | None) -> Any:
    query = select(*(table.c[column] for column in names))
    if name is not None:
        query = query.where(table.c.name == name)
    return query if enabled is None else query.where(table.c.enabled.is_(enabled))


def _page(tx: Transaction, query: Any, table: Any, page: PageRequest, record: Any, names: tuple[str, ...]) -> Page[Any]:
    if page.marker is not None:
        query = query.where(table.c.id > page.marker)
    found = tx.execute(query.order_by(table.c.id).limit(page.limit + 1)).all()
    records = tuple(record(**dict(zip(names, row, strict=True))) for row in found[:page.limit])
    return Page(records, len(found) > page.limit)


def _change(tx: Transaction, table: Any, id: str, changes: Mapping[str, Any]) -> bool:
    return tx.execute(update(table).where(table.c.id == id).values(**changes, updated_at=tx.now)).rowcount == 1
