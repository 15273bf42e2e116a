"""The image service as core and hosts see it; providers are in the entry point group ``stackd.images``.

``local`` answers in the same process, ``http`` asks a Glance-compatible service.
"""

from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred
from zope.interface import Interface

from stackd.model.callers import Caller
from stackd.model.images import Image
from stackd.model.paging import Page, PageRequest


class IImages(Interface):
    """The catalogue and the bytes."""

    async def show(caller: Caller, image_id: str) -> Image:
        """One image the caller may see (32-digit id); raises ``NotFound``."""

    async def find(caller: Caller, low: str, high: str) -> Image:
        """The one image the caller may see whose id is within [low, high]; raises ``NotFound``. For EC2's short ids."""

    async def list(caller: Caller, page: PageRequest) -> Page[Image]:
        """Images the caller may see (public, own, and all for admins), newest first."""

    def read(image_id: str) -> AsyncIterator[bytes]:
        """The bytes of an ACTIVE image for a host, in blocks; raises ``ImageVanished`` at the first block."""


class IConnected(Interface):
    """Of providers that keep connections open."""

    def close() -> "Deferred[None]":
        """Let go of them; no question may follow."""
