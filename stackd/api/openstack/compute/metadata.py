"""``/v2.1/servers/{id}/metadata``: a user's words on a server."""

from stackd import errors
from stackd.api.openstack.compute.routing import Operations, app, instance_key, offered
from stackd.api.openstack.compute.schemas import metadata as schemas
from stackd.api.openstack.http import Answer, Call


class Metadata(Operations):
    """Metadata of servers."""

    @app.route("/v2.1/servers/<id>/metadata", methods=["GET"])
    @offered()
    async def list_metadata(self, call: Call, id: str) -> Answer:
        """All entries."""
        return Answer({"metadata": await self._entries(call, id)})

    @app.route("/v2.1/servers/<id>/metadata", methods=["POST"])
    @offered(schemas.MANY)
    async def add_metadata(self, call: Call, id: str) -> Answer:
        """Add or change entries."""
        return await self._set(call, id, replace=False)

    @app.route("/v2.1/servers/<id>/metadata", methods=["PUT"])
    @offered(schemas.MANY)
    async def replace_metadata(self, call: Call, id: str) -> Answer:
        """These entries and no others."""
        return await self._set(call, id, replace=True)

    @app.route("/v2.1/servers/<id>/metadata/<word>", methods=["GET"])
    @offered()
    async def show_entry(self, call: Call, id: str, word: str) -> Answer:
        """One entry."""
        return Answer({"meta": {word: _entry(await self._entries(call, id), word)}})

    @app.route("/v2.1/servers/<id>/metadata/<word>", methods=["PUT"])
    @offered(schemas.ONE)
    async def set_entry(self, call: Call, id: str, word: str) -> Answer:
        """Set one entry."""
        entries = call.body["meta"]
        if word not in entries:
            raise errors.BadRequest("Request body and URI mismatch.", remedy="Name the same key in both.")
        await self.cloud.instances.set_metadata(call.caller, instance_key(id), entries)
        return Answer({"meta": entries})

    @app.route("/v2.1/servers/<id>/metadata/<word>", methods=["DELETE"])
    @offered()
    async def delete_entry(self, call: Call, id: str, word: str) -> Answer:
        """Take one entry away."""
        _entry(await self._entries(call, id), word)
        await self.cloud.instances.delete_metadata(call.caller, instance_key(id), [word])
        return Answer(None, 204)

    async def _entries(self, call: Call, id: str) -> dict[str, str]:
        return dict((await self.cloud.instances.get(call.caller, instance_key(id))).instance.metadata)

    async def _set(self, call: Call, id: str, replace: bool) -> Answer:
        changed = await self.cloud.instances.set_metadata(call.caller, instance_key(id), call.body["metadata"], replace)
        return Answer({"metadata": dict(changed.instance.metadata)})


def _entry(entries: dict[str, str], word: str) -> str:
    if word not in entries:
        raise errors.NotFound("metadata_item", word)
    return entries[word]
