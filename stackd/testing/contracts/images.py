"""What every provider of ``IImages`` must do. Derive :class:`ImagesContract`; pytest does the rest."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.images import IImages
from stackd.model.callers import Caller
from stackd.model.images import Image, Visibility
from stackd.model.paging import PageRequest
from stackd.testing.contracts.imagestore import awaiting, gather

Publish = Callable[[str, Visibility, bytes], Awaitable[Image]]


class ImagesContract:
    """Fixtures to give: ``images`` (the provider), ``publish(name, visibility, content)``, which makes an ACTIVE image
    of ``owner``, ``owner`` and ``stranger`` (callers of two projects)."""

    def test_interface(self, images: Any) -> None:
        """The provider has every method with the right arguments."""
        assert verifyObject(IImages, images)

    @awaiting
    async def test_show_and_read(self, images: Any, publish: Publish, owner: Caller) -> None:
        """An image is shown as it was made, and its bytes are those uploaded."""
        made = await publish("mine", Visibility.PRIVATE, b"the bytes")
        shown = await images.show(owner, made.id)
        assert (shown.name, shown.size) == ("mine", 9)
        assert await gather(images.read(made.id)) == b"the bytes"

    @awaiting
    async def test_foreign_images_do_not_exist(self, images: Any, publish: Publish, stranger: Caller) -> None:
        """Another project's private image is not found, however one asks."""
        made = await publish("mine", Visibility.PRIVATE, b"x")
        with pytest.raises(errors.NotFound):
            await images.show(stranger, made.id)
        with pytest.raises(errors.NotFound):
            await images.find(stranger, made.id, made.id)
        assert made.id not in [image.id for image in await images.list(stranger, PageRequest())]

    @awaiting
    async def test_find_by_prefix(self, images: Any, publish: Publish, stranger: Caller) -> None:
        """A public image is found by the range of its first 17 digits."""
        made = await publish("ours", Visibility.PUBLIC, b"x")
        prefix = made.id[:17]
        assert (await images.find(stranger, prefix.ljust(32, "0"), prefix.ljust(32, "f"))).id == made.id

    @awaiting
    async def test_pages(self, images: Any, publish: Publish, owner: Caller) -> None:
        """Pages follow each other without a gap or an image twice, newest first."""
        made = [(await publish(f"image {number}", Visibility.PRIVATE, b"x")).id for number in range(3)]
        first = await images.list(owner, PageRequest(limit=2))
        assert len(first) == 2 and first.more
        second = await images.list(owner, PageRequest(limit=2, marker=first.items[-1].id))
        listed = [image.id for image in (*first, *second) if image.id in made]
        assert sorted(listed) == sorted(made)
        oldest_first = await images.list(owner, PageRequest(reverse=True))
        assert [image.id for image in oldest_first if image.id in made] == listed[::-1]

    @awaiting
    async def test_unknown_bytes(self, images: Any) -> None:
        """Reading what nobody uploaded says that the image vanished."""
        with pytest.raises(errors.ImageVanished):
            await gather(images.read("0" * 32))
