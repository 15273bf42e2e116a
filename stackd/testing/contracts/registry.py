"""What every registry of images must do, in the same process or over the bus. Derive :class:`RegistryContract`."""

from typing import Any

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.imageservice import ISharing, IUploads
from stackd.model.callers import Caller
from stackd.model.images import Image, ImageQuery, ImageStatus, MemberStatus, NewImage, StoredBytes, Visibility
from stackd.testing.contracts.imagestore import awaiting

STORED = StoredBytes(size=3, checksum="c" * 32, hash_value="d" * 128, virtual_size=3)
NOBODYS = "0" * 32


class RegistryContract:
    """Fixtures to give: ``registry``, ``sharing`` of the same, ``owner`` and ``stranger`` (members of two projects),
    ``admin``."""

    async def _made(self, registry: Any, owner: Caller, **fields: Any) -> Image:
        made: Image = await registry.create(owner, NewImage(disk_format="raw", container_format="bare", **fields))
        return made

    def test_interfaces(self, registry: Any, sharing: Any) -> None:
        """Every method with the right arguments."""
        assert verifyObject(IUploads, registry)
        assert verifyObject(ISharing, sharing)

    @awaiting
    async def test_an_image_is_kept_as_it_was_made(self, registry: Any, owner: Caller) -> None:
        """Every field, by id, by the beginning of its id, and in lists."""
        made = await self._made(registry, owner, name="one", tags=("a", "b"), properties={"os": "x"}, min_ram=64)
        assert (made.name, made.tags, made.properties, made.min_ram) == ("one", ("a", "b"), {"os": "x"}, 64)
        assert await registry.show(owner, made.id) == made
        prefix = made.id[:17]
        assert await registry.find(owner, prefix.ljust(32, "0"), prefix.ljust(32, "f")) == made
        listed = await registry.list(owner, ImageQuery(names=("one",), limit=1))
        assert listed.items == (made,) and not listed.more

    @awaiting
    async def test_foreign_images_do_not_exist(self, registry: Any, owner: Caller, stranger: Caller) -> None:
        """Not for reading, and not for changing."""
        made = await self._made(registry, owner)
        for asked in (registry.show(stranger, made.id), registry.delete(stranger, made.id),
                      registry.update(stranger, made.id, lambda image: image), registry.show(owner, NOBODYS)):
            with pytest.raises(errors.NotFound):
                await asked
        assert not (await registry.list(stranger, ImageQuery(ids=(made.id,)))).items

    @awaiting
    async def test_a_public_image_of_others_is_not_changed(self, registry: Any, admin: Caller, owner: Caller) -> None:
        """Refused before what is wrong with the change is looked at."""
        made = await self._made(registry, admin, visibility=Visibility.PUBLIC)

        def wrong(image: Image) -> Image:
            raise errors.InvalidValue("name", "it is wrong")

        with pytest.raises(errors.NotAllowed):
            await registry.update(owner, made.id, wrong)

    @awaiting
    async def test_a_change_meets_the_present_image(self, registry: Any, owner: Caller) -> None:
        """And its errors are the caller's."""
        made = await self._made(registry, owner, properties={"one": "1"})
        await registry.update(owner, made.id, lambda image: evolve(image, properties={**image.properties, "two": "2"}))
        after = await registry.update(owner, made.id, lambda image: evolve(image, name="new"))
        assert (after.name, after.properties) == ("new", {"one": "1", "two": "2"})
        assert await registry.show(owner, made.id) == after

        def wrong(image: Image) -> Image:
            raise errors.InvalidValue("name", f"{image.name} is wrong")

        with pytest.raises(errors.InvalidValue, match="new is wrong"):
            await registry.update(owner, made.id, wrong)

    @awaiting
    async def test_an_upload_in_its_steps(self, registry: Any, owner: Caller) -> None:
        """One at a time; finished twice is finished; deactivated and back."""
        made = await self._made(registry, owner)
        begun, key = await registry.begin_upload(owner, made.id)
        assert begun.id == made.id and await registry.located(made.id) is None
        with pytest.raises(errors.WrongState):
            await registry.begin_upload(owner, made.id)
        for _ in range(2):
            assert await registry.begin_upload(owner, made.id, key) == (await registry.show(owner, made.id), key)
        assert await registry.still_uploading(made.id, key) is True
        assert await registry.still_uploading(made.id, "other") is False
        assert set(await registry.keys_in_use([key, "other"])) >= {key}
        for _ in range(2):
            done = await registry.finish_upload(made.id, key, STORED)
            assert (done.status, done.size, done.checksum) == (ImageStatus.ACTIVE, 3, "c" * 32)
        assert await registry.give_up_upload(made.id, key) is False
        assert await registry.located(made.id) == (done, key)
        await registry.deactivate(owner, made.id)
        assert (await registry.show(owner, made.id)).status is ImageStatus.DEACTIVATED
        await registry.reactivate(owner, made.id)

    @awaiting
    async def test_bytes_of_deleted_images_can_be_removed(self, registry: Any, owner: Caller) -> None:
        """Once, after their grace."""
        made = await self._made(registry, owner)
        _, key = await registry.begin_upload(owner, made.id)
        await registry.finish_upload(made.id, key, STORED)
        await registry.delete(owner, made.id)
        assert await registry.removable(60.0) == ()
        assert await registry.removable(-1.0) == ((made.id, key),)
        await registry.forget_bytes(made.id)
        assert await registry.removable(-1.0) == ()

    @awaiting
    async def test_a_stalled_upload_waits_again(self, registry: Any, owner: Caller) -> None:
        """For other bytes."""
        made = await self._made(registry, owner)
        await registry.begin_upload(owner, made.id)
        await registry.give_up_stalled(60.0)
        assert (await registry.show(owner, made.id)).status is ImageStatus.SAVING
        await registry.give_up_stalled(-1.0)
        assert (await registry.show(owner, made.id)).status is ImageStatus.QUEUED

    @awaiting
    async def test_sharing(self, registry: Any, sharing: Any, owner: Caller, stranger: Caller) -> None:
        """Members see an image when they were added, and list it when they accepted it."""
        made = await self._made(registry, owner)
        added = await sharing.add(owner, made.id, stranger.project_id)
        assert added.status is MemberStatus.PENDING
        assert await registry.show(stranger, made.id) == made
        accepted = await sharing.answer(stranger, made.id, stranger.project_id, MemberStatus.ACCEPTED)
        assert await sharing.show(stranger, made.id, stranger.project_id) == accepted
        assert await sharing.members(owner, made.id) == (accepted,)
        assert (await registry.list(stranger, ImageQuery(ids=(made.id,)))).items == (made,)
        await sharing.remove(owner, made.id, stranger.project_id)
        with pytest.raises(errors.NotFound):
            await sharing.show(owner, made.id, stranger.project_id)

    @awaiting
    async def test_who_looks_with_whose_eyes(self, registry: Any, owner: Caller, stranger: Caller,
                                             admin: Caller) -> None:
        """Administrators list as a project does; nobody else."""
        made = await self._made(registry, owner)
        as_owner = ImageQuery(ids=(made.id,), viewer=owner.project_id)
        assert (await registry.list(admin, as_owner)).items == (made,)
        assert (await registry.list(owner, as_owner)).items == (made,)
        assert (await registry.list(admin, evolve(as_owner, viewer=stranger.project_id))).items == ()
        with pytest.raises(errors.NotAllowed):
            await registry.list(stranger, as_owner)
