"""Where a user stands in a project at this moment, and whether that still carries a token. Pure but for the one query.

``core.identity`` loads a standing (mostly from its cache) for every request and puts the token to it.
"""

from attrs import frozen

from stackd.core.identity_tokens import refused
from stackd.model.identities import ApplicationCredential, Project, Role, Token, TokenView
from stackd.store import identity as people
from stackd.store import identity_credentials as credentials
from stackd.store.database import Transaction


@frozen(kw_only=True)
class Standing:
    """A user, a project or none, the roles held there, and the application credential by which they came or none."""

    person: people.UserSecrets
    project: Project | None
    roles: tuple[Role, ...]
    credential: ApplicationCredential | None


def load(tx: Transaction, user_id: str, project_id: str, credential_id: str) -> Standing | None:
    """The standing; None when the user, or a project or credential asked for, is not there."""
    person = people.user_by_id(tx, user_id)
    project = people.project_by_id(tx, project_id) if project_id else None
    kept = credentials.credential(tx, credential_id) if credential_id else None
    if person is None or (project_id and project is None) or (credential_id and kept is None):
        return None
    roles = people.roles_held(tx, user_id, project_id) if project_id else ()
    return Standing(person=person, project=project, roles=roles, credential=kept[0] if kept else None)


def check(token: Token, standing: Standing | None, now: float) -> TokenView:
    """The token with what it is worth now; raises ``NotAuthenticated`` when that is nothing."""
    if standing is None or not standing.person.user.enabled or not _fresh(token, standing, now):
        raise refused()
    roles = standing.roles
    if standing.credential is not None:
        roles = tuple(role for role in roles if role.name in standing.credential.roles)
    if standing.project is not None and not (standing.project.enabled and roles):
        raise refused()
    return TokenView(token=token, user=standing.person.user, project=standing.project, roles=roles)


def _fresh(token: Token, standing: Standing, now: float) -> bool:
    expires = standing.credential.expires_at if standing.credential is not None else None
    return (standing.person.valid_after <= token.issued_at and now < token.expires_at
            and (expires is None or now < expires))
