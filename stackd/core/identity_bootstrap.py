"""The first tenancies of a cloud: projects and users ``admin`` and ``demo`` with their roles and EC2 keys.

Done in one transaction; what is there already is left as it is, so it may run at every start.
"""

from stackd.core import identity_roles, identity_users
from stackd.core.identity_credentials import AccessKeys
from stackd.core.identity_projects import Projects
from stackd.model.callers import ADMIN, MEMBER, Caller
from stackd.model.identities import Bootstrapped, Tenancy, User
from stackd.store.database import Transaction

DEMO = "demo"
BOOTSTRAP = Caller(user_id="bootstrap", user_name="bootstrap", project_id="", project_name="",
                   roles=frozenset({ADMIN}), request_id="bootstrap")


def bootstrap(tx: Transaction, projects: Projects, keys: AccessKeys, admin_hash: str, demo_hash: str) -> Bootstrapped:
    """Ensure both tenancies; the hashes are used only for users that have to be made."""
    roles = identity_roles.ensure(tx, BOOTSTRAP)

    def tenancy(name: str, password_hash: str, role: str) -> Tenancy:
        project = projects.ensure(tx, BOOTSTRAP, name)
        user = identity_users.ensure(tx, BOOTSTRAP, User(id="", name=name, default_project_id=project.id),
                                     password_hash)
        identity_roles.ensure_held(tx, BOOTSTRAP, user.id, project.id, roles[role])
        return Tenancy(user=user, project=project, key=keys.ensure(tx, BOOTSTRAP, user, project))

    return Bootstrapped(admin=tenancy(ADMIN, admin_hash, ADMIN), demo=tenancy(DEMO, demo_hash, MEMBER))
