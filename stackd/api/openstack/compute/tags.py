"""``/v2.1/servers/{id}/tags``: words to find servers by."""

from stackd import errors
from stackd.api.openstack.compute.microversions import Version
from stackd.api.openstack.compute.routing import Operations, app, instance_key, offered
from stackd.api.openstack.compute.schemas import servers as schemas
from stackd.api.openstack.http import Answer, Call

TAGGED: Version = (2, 26)


class Tags(Operations):
    """Tags of servers."""

    @app.route("/v2.1/servers/<id>/tags", methods=["GET"])
    @offered(since=TAGGED)
    async def list_tags(self, call: Call, id: str) -> Answer:
        """All."""
        return Answer({"tags": list(await self._tags(call, id))})

    @app.route("/v2.1/servers/<id>/tags", methods=["PUT"])
    @offered(schemas.TAGS, since=TAGGED)
    async def replace_tags(self, call: Call, id: str) -> Answer:
        """These and no others."""
        changed = await self.cloud.instances.label(call.caller, instance_key(id), lambda held: call.body["tags"])
        return Answer({"tags": list(changed.instance.labels)})

    @app.route("/v2.1/servers/<id>/tags", methods=["DELETE"])
    @offered(since=TAGGED)
    async def delete_tags(self, call: Call, id: str) -> Answer:
        """All away."""
        await self.cloud.instances.label(call.caller, instance_key(id), lambda held: ())
        return Answer(None, 204)

    @app.route("/v2.1/servers/<id>/tags/<tag>", methods=["GET"])
    @offered(since=TAGGED)
    async def check_tag(self, call: Call, id: str, tag: str) -> Answer:
        """Whether it is there."""
        _demand(await self._tags(call, id), tag)
        return Answer(None, 204)

    @app.route("/v2.1/servers/<id>/tags/<tag>", methods=["PUT"])
    @offered(since=TAGGED)
    async def add_tag(self, call: Call, id: str, tag: str) -> Answer:
        """One more; one that is there is no error."""
        if tag in await self._tags(call, id):
            return Answer(None, 204)
        await self.cloud.instances.label(call.caller, instance_key(id), lambda held: list(dict.fromkeys((*held, tag))))
        return Answer(None, 201, {"Location": call.base + call.path})

    @app.route("/v2.1/servers/<id>/tags/<tag>", methods=["DELETE"])
    @offered(since=TAGGED)
    async def delete_tag(self, call: Call, id: str, tag: str) -> Answer:
        """One away."""
        _demand(await self._tags(call, id), tag)
        await self.cloud.instances.label(call.caller, instance_key(id),
                                         lambda held: [each for each in held if each != tag])
        return Answer(None, 204)

    async def _tags(self, call: Call, id: str) -> tuple[str, ...]:
        return (await self.cloud.instances.get(call.caller, instance_key(id))).instance.labels


def _demand(held: tuple[str, ...], tag: str) -> None:
    if tag not in held:
        raise errors.NotFound("tag", tag)
