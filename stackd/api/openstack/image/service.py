"""The image API, Glance's v2: its routes. Every use case is the registry's; bytes go through ``transfer``.

Mounted under a path of the combined site, or alone on a port of its own; either way the site must be a
``streaming.StreamSite``, else uploads are gathered before they are looked at.
"""

from typing import ClassVar

from attrs import evolve
from klein import Klein
from klein.resource import KleinResource

from stackd import errors
from stackd.api.openstack import faults
from stackd.api.openstack.http import Answer, Call, Service, handle_http_errors, operation
from stackd.api.openstack.image import patching, queries, schemas, transfer, views
from stackd.interfaces.identity import IIdentity
from stackd.interfaces.imageservice import IContent, IRegistry, ISharing
from stackd.model import ids, kinds
from stackd.model.images import Image, MemberStatus

MAX_TAG = 255


class ImageService(Service):
    """Routes of the image API."""

    app: ClassVar[Klein] = Klein()
    handle_http_errors(app)  # before the routes: they take the rule about slashes from it
    render: ClassVar[faults.Render] = staticmethod(faults.image)

    def __init__(self, identity: IIdentity, registry: IRegistry, sharing: ISharing, content: IContent) -> None:
        """``identity`` knows callers by their tokens; the others are the image service's parts."""
        super().__init__(identity)
        self.registry = registry
        self.sharing = sharing
        self.content = content

    def resource(self) -> KleinResource:
        """The web resource to mount."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    @app.route("/v2", methods=["GET"])
    @operation(public=True)
    async def choose_version(self, call: Call) -> Answer:
        """The versions, as a choice; clients ask here first."""
        return Answer(views.versions(_root(call)), 300)

    @app.route("/versions", methods=["GET"])
    @operation(public=True)
    async def list_versions(self, call: Call) -> Answer:
        """The versions, as an answer."""
        return Answer(views.versions(_root(call)))

    @app.route("/v2/images", methods=["GET"])
    @operation()
    async def list_images(self, call: Call) -> Answer:
        """A page of images."""
        page = await self.registry.list(call.caller, queries.image_query(call.query))
        return Answer(views.images(page, call.query, page.more), headers=queries.own_filters(call.query))

    @app.route("/v2/images", methods=["POST"])
    @operation(schemas.CREATE)
    async def create_image(self, call: Call) -> Answer:
        """A queued image."""
        image = await self.registry.create(call.caller, patching.new_image(call.body))
        body = views.image(image)
        return Answer(body, 201, {"Location": f"{_root(call)}{body['self']}"})

    @app.route("/v2/images/<image_id>", methods=["GET"])
    @operation()
    async def show_image(self, call: Call, image_id: str) -> Answer:
        """One image."""
        return Answer(views.image(await self.registry.show(call.caller, _inside(image_id))))

    @app.route("/v2/images/<image_id>", methods=["PATCH"])
    @operation(schemas.PATCH)
    async def update_image(self, call: Call, image_id: str) -> Answer:
        """Change fields and properties, all or none."""
        steps = patching.steps(call.raw.getHeader("content-type") or "", call.body)
        return Answer(views.image(
            await self.registry.update(call.caller, _inside(image_id), patching.change(steps))))

    @app.route("/v2/images/<image_id>", methods=["DELETE"])
    @operation()
    async def delete_image(self, call: Call, image_id: str) -> Answer:
        """End an image."""
        await self.registry.delete(call.caller, _inside(image_id))
        return Answer(None, 204)

    @app.route("/v2/images/<image_id>/file", methods=["PUT"])
    @operation(raw_body=True)
    async def upload_file(self, call: Call, image_id: str) -> Answer:
        """The bytes, streamed in."""
        return await transfer.upload(self.content, call, _inside(image_id))

    @app.route("/v2/images/<image_id>/file", methods=["GET"])
    @operation()
    async def download_file(self, call: Call, image_id: str) -> Answer:
        """The bytes, streamed out."""
        return await transfer.download(self.content, call, _inside(image_id))

    @app.route("/v2/images/<image_id>/actions/deactivate", methods=["POST"])
    @operation()
    async def deactivate(self, call: Call, image_id: str) -> Answer:
        """Keep the bytes from users."""
        await self.registry.deactivate(call.caller, _inside(image_id))
        return Answer(None, 204)

    @app.route("/v2/images/<image_id>/actions/reactivate", methods=["POST"])
    @operation()
    async def reactivate(self, call: Call, image_id: str) -> Answer:
        """Let users read the bytes again."""
        await self.registry.reactivate(call.caller, _inside(image_id))
        return Answer(None, 204)

    @app.route("/v2/images/<image_id>/tags/<tag>", methods=["PUT"])
    @operation()
    async def add_tag(self, call: Call, image_id: str, tag: str) -> Answer:
        """Tag an image; a second time is no error."""
        if len(tag) > MAX_TAG:
            raise errors.InvalidValue("tag", f"it is longer than {MAX_TAG} characters")
        await self.registry.update(call.caller, _inside(image_id), lambda image: evolve(
            image, tags=tuple(dict.fromkeys((*image.tags, tag)))))
        return Answer(None, 204)

    @app.route("/v2/images/<image_id>/tags/<tag>", methods=["DELETE"])
    @operation()
    async def remove_tag(self, call: Call, image_id: str, tag: str) -> Answer:
        """Take a tag away."""
        def without(image: Image) -> Image:
            if tag not in image.tags:
                raise errors.NotFound("tag", tag)
            return evolve(image, tags=tuple(each for each in image.tags if each != tag))

        await self.registry.update(call.caller, _inside(image_id), without)
        return Answer(None, 204)

    @app.route("/v2/images/<image_id>/members", methods=["GET"])
    @operation()
    async def list_members(self, call: Call, image_id: str) -> Answer:
        """The projects an image is shared with."""
        return Answer(views.members(await self.sharing.members(call.caller, _inside(image_id))))

    @app.route("/v2/images/<image_id>/members", methods=["POST"])
    @operation(schemas.MEMBER)
    async def add_member(self, call: Call, image_id: str) -> Answer:
        """Share with one more project."""
        member = ids.parse_uuid(call.body["member"])
        if member is None:
            raise errors.InvalidValue("member", "it is not the id of a project")
        return Answer(views.member(await self.sharing.add(call.caller, _inside(image_id), member)))

    @app.route("/v2/images/<image_id>/members/<member_id>", methods=["GET"])
    @operation()
    async def show_member(self, call: Call, image_id: str, member_id: str) -> Answer:
        """One project an image is shared with."""
        return Answer(views.member(await self.sharing.show(call.caller, _inside(image_id), _member(member_id))))

    @app.route("/v2/images/<image_id>/members/<member_id>", methods=["PUT"])
    @operation(schemas.MEMBER_STATUS)
    async def answer_member(self, call: Call, image_id: str, member_id: str) -> Answer:
        """Accept or reject, as the member."""
        return Answer(views.member(await self.sharing.answer(
            call.caller, _inside(image_id), _member(member_id), MemberStatus(call.body["status"]))))

    @app.route("/v2/images/<image_id>/members/<member_id>", methods=["DELETE"])
    @operation()
    async def remove_member(self, call: Call, image_id: str, member_id: str) -> Answer:
        """Share with one project less."""
        await self.sharing.remove(call.caller, _inside(image_id), _member(member_id))
        return Answer(None, 204)

    @app.route("/v2/schemas/<name>", methods=["GET"])
    @operation()
    async def show_schema(self, call: Call, name: str) -> Answer:
        """The shape of images, members and tasks."""
        if name not in schemas.PUBLISHED:
            raise errors.NotFound("schema", name)
        return Answer(schemas.PUBLISHED[name])

    @app.route("/v2/info/import", methods=["GET"])
    @operation()
    async def show_import_methods(self, call: Call) -> Answer:
        """None: bytes come by upload alone."""
        return Answer({"import-methods": {"description": "Import methods available.", "type": "array", "value": []}})

    @app.route("/v2/info/stores", methods=["GET"])
    @operation()
    async def show_stores(self, call: Call) -> Answer:
        """The one store."""
        return Answer({"stores": [{"id": "default", "default": "true"}]})

    @app.route("/v2/tasks", methods=["GET"])
    @operation()
    async def list_tasks(self, call: Call) -> Answer:
        """There are never any."""
        return Answer({"tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"})


def _inside(image_id: str) -> str:
    inside = ids.parse_uuid(image_id)
    if inside is None:
        raise errors.NotFound(kinds.IMAGE, image_id)
    return inside


def _member(member_id: str) -> str:
    member = ids.parse_uuid(member_id)
    if member is None:
        raise errors.NotFound("member", member_id)
    return member


def _root(call: Call) -> str:
    # What comes before our own paths: the place where the combined site mounted the service.
    path = call.path.rstrip("/")
    for own in ("/versions", "/v2", "/v2/images"):
        path = path.removesuffix(own)
    return call.base + path
