"""The images a cloud offers from its first minute: registered at start, once, whatever is restarted in between.

The image daemon calls it. A seed's id follows from its name: starting twice, or two daemons at once, make one image,
and an image that an administrator deleted does not come back.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from stackd import errors
from stackd.imageservice.content import Content
from stackd.imageservice.registry import Registry
from stackd.model import ids
from stackd.model.callers import Caller
from stackd.model.images import Image, ImageStatus, NewImage, Visibility

BLOCK = 1 << 20
_SEEDS = uuid.UUID("6f1a7c52-0f0e-4b6e-9d0c-5a3f8f1f5c11")


@frozen(kw_only=True)
class Seed:
    """A public image to be there: its bytes (a file, or few of them directly), its formats, its properties."""

    name: str
    content: Path | bytes
    disk_format: str = "qcow2"
    container_format: str = "bare"
    min_disk: int = 0
    min_ram: int = 0
    properties: Mapping[str, str] = field(factory=dict)

    @property
    def id(self) -> str:
        """The id that follows from the name."""
        return uuid.uuid5(_SEEDS, self.name).hex


TINY = Seed(name="tiny", content=b"stackd".ljust(4096, b"\0"), disk_format="raw",
            properties={"os_distro": "none", "description": "A few bytes to launch fake guests from"})
"""For clouds of fakes: nothing in it boots."""


class Seeding:
    """Makes seeds into images."""

    def __init__(self, registry: Registry, content: Content, caller: Caller,
                 in_thread: Callable[..., Awaitable[Any]]) -> None:
        """``caller`` is an administrator whose project will own the images; ``in_thread`` runs the reading of files."""
        self._registry = registry
        self._content = content
        self._caller = caller
        self._in_thread = in_thread

    async def ensure(self, seed: Seed) -> Image | None:
        """The image of this seed, made if it is not there; None when an administrator deleted it.

        Raises ``TransientFailure`` when its file cannot be read.
        """
        image = await self._registered(seed)
        if image is None or image.status is not ImageStatus.QUEUED:
            return image
        return await self._content.upload(self._caller, image.id, self._blocks(seed.content))

    async def ensure_machine(self, seed: Seed, kernel: Path, ramdisk: Path) -> Image | None:
        """A partition image (AMI) with the kernel and ramdisk it boots from, as images of their own."""
        parts = {}
        for what, kind, path in (("kernel", "aki", kernel), ("ramdisk", "ari", ramdisk)):
            part = await self.ensure(Seed(name=f"{seed.name}-{what}", content=path, disk_format=kind,
                                          container_format=kind))
            if part is None:
                return None
            parts[f"{what}_id"] = ids.dashed(part.id)
        return await self.ensure(evolve(seed, disk_format="ami", container_format="ami",
                                        properties={**seed.properties, **parts}))

    async def _registered(self, seed: Seed) -> Image | None:
        try:
            return await self._registry.show(self._caller, seed.id)
        except errors.NotFound:
            pass
        try:
            return await self._registry.create(self._caller, NewImage(
                id=seed.id, name=seed.name, visibility=Visibility.PUBLIC, disk_format=seed.disk_format,
                container_format=seed.container_format, min_disk=seed.min_disk, min_ram=seed.min_ram,
                properties=seed.properties))
        except errors.AlreadyExists:
            return None

    async def _blocks(self, content: Path | bytes) -> AsyncIterator[bytes]:
        if isinstance(content, bytes):
            yield content
            return
        try:
            with await self._in_thread(content.open, "rb") as file:
                while block := await self._in_thread(file.read, BLOCK):
                    yield block
        except OSError as error:
            raise errors.TransientFailure(f"The image file {content} cannot be read: {error.strerror}.",
                                          remedy="Build it again, then restart.") from error
