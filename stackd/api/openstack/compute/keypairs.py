"""``/v2.1/os-keypairs``: public keys of users."""

from attrs import evolve

from stackd import errors
from stackd.api.openstack.compute.microversions import Version
from stackd.api.openstack.compute.paging import following, page
from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.compute.schemas import keypairs as schemas
from stackd.api.openstack.compute.views import keypairs as views
from stackd.api.openstack.http import Answer, Call
from stackd.model.callers import Caller

TYPED: Version = (2, 2)
OF_OTHERS: Version = (2, 10)
PAGED: Version = (2, 35)


class KeyPairs(Operations):
    """Key pairs."""

    @app.route("/v2.1/os-keypairs", methods=["GET"])
    @offered()
    async def list_keypairs(self, call: Call) -> Answer:
        """All, in pages since those exist."""
        found = await self.cloud.keypairs.list(_owner(call, call.arg("user_id")))
        items, more = page(call, found, lambda keypair: keypair.name) if call.version >= PAGED else (found, False)
        marker = items[-1].name if items else ""
        return Answer({"keypairs": [views.brief(keypair, call.version) for keypair in items],
                       **following(call, "keypairs", items, more, marker)})

    @app.route("/v2.1/os-keypairs", methods=["POST"])
    @offered(schemas.CREATE)
    async def create_keypair(self, call: Call) -> Answer:
        """Generate one, or import a public key."""
        body, status = call.body["keypair"], 201 if call.version >= TYPED else 200
        owner = _owner(call, body.get("user_id"))
        if "public_key" in body:
            kept = await self.cloud.keypairs.import_key(owner, body["name"], body["public_key"])
            return Answer(views.imported(kept, call.version), status)
        return Answer(views.generated(await self.cloud.keypairs.create(owner, body["name"]), call.version), status)

    @app.route("/v2.1/os-keypairs/<name>", methods=["GET"])
    @offered()
    async def show_keypair(self, call: Call, name: str) -> Answer:
        """One."""
        owner = _owner(call, call.arg("user_id"))
        return Answer(views.full(await self.cloud.keypairs.get(owner, name), call.version))

    @app.route("/v2.1/os-keypairs/<name>", methods=["DELETE"])
    @offered()
    async def delete_keypair(self, call: Call, name: str) -> Answer:
        """Remove one."""
        await self.cloud.keypairs.delete(_owner(call, call.arg("user_id")), name)
        return Answer(None, 204 if call.version >= TYPED else 202)


def _owner(call: Call, user_id: str | None) -> Caller:
    """Whose keys are meant: the caller's, or those of the user an admin names."""
    if not user_id or call.version < OF_OTHERS or user_id == call.caller.user_id:
        return call.caller
    if not call.caller.is_admin:
        raise errors.NotAllowed("Only administrators may use key pairs of other users.")
    return evolve(call.caller, user_id=user_id)
