"""The image service seen over HTTP: the driver ``http`` of ``stackd.images``, for another process or another Glance.

Core and hosts ask through it. A service user asks, who as an administrator sees every image; who of our callers
sees it is decided here, by the rule our own registry follows (``rules.images``), and by the image's members where it
was shared. A list is narrowed by the other side: ours has the filter ``viewer``, of another service the public images
and those of the caller's project are asked for; what was shared with it is shown by id, but not listed.
"""

import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from zope.interface import implementer

from stackd import errors
from stackd.config import sections
from stackd.drivers.images.asking import Answered, Asking, Opened
from stackd.drivers.images.inflow import BodyLost
from stackd.drivers.images.prefixes import Prefixes
from stackd.drivers.images.records import image_of
from stackd.drivers.images.tokens import Tokens
from stackd.interfaces.images import IConnected, IImages
from stackd.model import ids, kinds
from stackd.model.callers import READER, Caller
from stackd.model.images import Image, ImageStatus
from stackd.model.paging import MAX_LIMIT, Page, PageRequest
from stackd.rules import images as rules
from stackd.rules import policy

log = Logger()
OWN_HEADER = "x-image-filters"
SCANNED_PAGES = 50
RESUMES = 5
FIRST_PAUSE = 0.5
Query = Sequence[tuple[str, str]]


@implementer(IImages, IConnected)
class HttpImages:
    """One image service of the v2 API."""

    def __init__(self, reactor: Any, section: sections.Image) -> None:
        """Nothing is asked yet; raises ``BadConfiguration`` for settings that cannot work."""
        _demand_settings(section)
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 8
        # Two lines in the log for each connection say nothing.
        self._pool._factory.noisy = False
        # Shorter than servers keep idle connections.
        self._pool.cachedConnectionTimeout = 30
        agent = Agent(reactor, _policy(section.ca_file), connectTimeout=section.timeout, pool=self._pool)
        self._url = f"{section.url.rstrip('/').removesuffix('/v2')}/v2/images"
        self._asking = Asking(agent, reactor, section.timeout, f"The image service at {section.url}")
        login = Asking(agent, reactor, section.timeout, f"The image service's login at {section.auth_url}")
        self._tokens = Tokens(login, reactor, section)
        self._prefixes = Prefixes(reactor)
        self._foreign = False

    async def show(self, caller: Caller, image_id: str) -> Image:
        """One image the caller may see; raises ``NotFound`` and ``Unavailable``."""
        policy.demand(caller, READER, "show images")
        answered = await self._get(f"/{ids.dashed(image_id)}")
        if answered.status != 404:
            image = self._image(self._demanded(answered).body)
            if image.status is not ImageStatus.DELETED and await self._may_see(caller, image):
                return image
        raise errors.NotFound(kinds.IMAGE, ids.dashed(image_id))

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """The one image in the range that the caller may see; raises ``NotFound`` and ``Unavailable``."""
        policy.demand(caller, READER, "show images")
        bounds = [("id_from", ids.dashed(low)), ("id_to", ids.dashed(high)), ("limit", "1")]
        found = await self._listed_by_ours(bounds)
        if found is not None:
            if found.items and await self._may_see(caller, found.items[0]):
                return found.items[0]
        else:
            id = await self._prefixes.find(low, high, self._ids_up_to)
            if id is not None:
                return await self.show(caller, id)
        raise errors.NotFound(kinds.IMAGE, ids.ec2_id(kinds.IMAGE, low))

    async def list(self, caller: Caller, page: PageRequest) -> Page[Image]:
        """Images the caller may see, newest first unless reversed; raises ``InvalidMarker`` and ``Unavailable``."""
        policy.demand(caller, READER, "list images")
        direction = "asc" if page.reverse else "desc"
        query = [("sort", f"created_at:{direction},id:{direction}"), ("limit", str(page.limit))]
        if page.marker is not None:
            query.append(("marker", ids.dashed(page.marker)))
        if caller.is_admin:
            return await self._listed(query)
        found = await self._listed_by_ours([*query, ("viewer", caller.project_id)])
        return found if found is not None else await self._merged(query, caller.project_id, page)

    async def read(self, image_id: str) -> AsyncIterator[bytes]:
        """The bytes; a lost connection is taken up again where it broke. Raises ``ImageVanished``.

        Raises ``TransientFailure`` when the connection breaks again and again, or cannot be had.
        """
        done, failures = 0, 0
        while True:
            try:
                opened = await self._open(image_id, done)
                if opened is None:
                    return
                try:
                    async for block in _from(opened, done):
                        done, failures = done + len(block), 0
                        yield block
                    return
                finally:
                    opened.inflow.stop()
            except (BodyLost, errors.Unavailable) as error:
                failures += 1
                if failures > RESUMES or not done:
                    raise errors.TransientFailure(f"The bytes of image {ids.dashed(image_id)} cannot be read now: "
                                                  f"{error}") from error
            await deferLater(self._reactor, FIRST_PAUSE * 2 ** (failures - 1))

    def close(self) -> "Deferred[None]":
        """Let go of idle connections."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    # --- asking ---

    async def _get(self, path: str, query: Query = ()) -> Answered:
        opened = await self._ask(path, query, {})
        return await self._asking.gathered(opened)

    async def _ask(self, path: str, query: Query, headers: Mapping[str, str]) -> Opened:
        url = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        for _ in range(2):
            token = await self._tokens.token()
            opened = await self._asking.open("GET", url, {**headers, "X-Auth-Token": token})
            if opened.status != 401:
                return opened
            opened.inflow.stop()
            self._tokens.forget(token)
        raise self._tokens.refused()

    def _demanded(self, answered: Answered) -> Answered:
        if answered.status == 403:
            raise self._tokens.refused()
        if answered.status != 200 or not isinstance(answered.body, dict):
            raise self._asking.unavailable(f"it gave an answer that is not understood, of status {answered.status}")
        return answered

    def _image(self, shown: Mapping[str, Any]) -> Image:
        try:
            image = image_of(shown)
        except (KeyError, TypeError, ValueError) as error:
            raise self._asking.unavailable(f"it shows an image that is not understood ({error})") from error
        return image

    async def _may_see(self, caller: Caller, image: Image) -> bool:
        if rules.open_to(caller, image):
            return True
        if not rules.may_be_member(caller, image):
            return False
        answered = await self._get(f"/{ids.dashed(image.id)}/members/{caller.project_id}")
        return answered.status != 404 and bool(self._demanded(answered).body.get("member_id"))

    # --- lists ---

    async def _listed_by_ours(self, query: Query) -> Page[Image] | None:
        """By filters that only our own service has; None when this is another, which would misunderstand them."""
        if self._foreign:
            return None
        answered = await self._get("", query)
        self._foreign = answered.status == 200 and OWN_HEADER not in answered.headers
        return None if self._foreign else self._page(answered, query)

    async def _listed(self, query: Query) -> Page[Image]:
        return self._page(await self._get("", query), query)

    def _page(self, answered: Answered, query: Query) -> Page[Image]:
        marker = dict(query).get("marker")
        if answered.status in (400, 404) and marker is not None:
            raise errors.InvalidMarker(f"Marker {marker} names no image.")
        body = self._demanded(answered).body
        found = []
        for shown in body.get("images", ()):
            try:
                found.append(image_of(shown))
            except (KeyError, TypeError, ValueError) as error:
                log.warn("an image that is not understood was left out of a list: {error}", error=repr(error))
                continue
            self._prefixes.note(found[-1].id)
        return Page(tuple(found), more=bool(body.get("next")))

    async def _merged(self, query: Query, project: str, page: PageRequest) -> Page[Image]:
        """The public images and those of the project, as one list."""
        public = await self._listed([*query, ("visibility", "public")])
        own = await self._listed([*query, ("owner", project), ("visibility", "all")])
        rest = tuple(image for image in own if image.id not in {each.id for each in public})
        both = heapq.merge(public, rest, key=lambda image: (image.created_at, image.id), reverse=not page.reverse)
        items = tuple(islice(both, page.limit))
        return Page(items, more=public.more or own.more or len(public) + len(rest) > len(items))

    async def _ids_up_to(self, high: str) -> AsyncIterator[Sequence[str]]:
        """Pages of ids in order, also of hidden images, until ``high``; only so many pages."""
        for hidden in ("false", "true"):
            query = [("sort", "id:asc"), ("limit", str(MAX_LIMIT)), ("visibility", "all"), ("os_hidden", hidden)]
            marker: Query = ()
            for _ in range(SCANNED_PAGES):
                page = await self._listed([*query, *marker])
                yield [image.id for image in page]
                if not page.more or not page.items or page.items[-1].id > high:
                    break
                marker = [("marker", ids.dashed(page.items[-1].id))]
            else:
                raise errors.NotSupported(
                    "The image service has too many images to find one by its EC2 id.",
                    remedy="List the images first, or launch with the OpenStack API and the image's full id.")

    # --- bytes ---

    async def _open(self, image_id: str, offset: int) -> Opened | None:
        """The answer with the bytes from ``offset`` on, or with all of them; None when there are no more."""
        dashed = ids.dashed(image_id)
        opened = await self._ask(f"/{dashed}/file", (), {"Range": f"bytes={offset}-"} if offset else {})
        if opened.status in (200, 206):
            return opened
        opened.inflow.stop()
        if opened.status == 416 and offset:
            return None
        if opened.status in (204, 404, 410):
            raise errors.ImageVanished(f"Image {dashed} has no bytes in the image service any more.")
        raise self._tokens.refused() if opened.status == 403 else self._asking.unavailable(
            f"a download got the status {opened.status}")


async def _from(opened: Opened, offset: int) -> AsyncIterator[bytes]:
    """The blocks after the first ``offset`` bytes of the image, whatever part the answer begins with."""
    skipped = offset if opened.status == 200 else 0
    while block := await opened.inflow.take():
        if skipped < len(block):
            yield block[skipped:]
        skipped = max(0, skipped - len(block))


def _policy(ca_file: str) -> BrowserLikePolicyForHTTPS:
    if not ca_file:
        return BrowserLikePolicyForHTTPS()
    try:
        with open(ca_file, "rb") as file:
            return BrowserLikePolicyForHTTPS(trustRootFromCertificates([Certificate.loadPEM(file.read())]))
    except Exception as error:  # OpenSSL's errors have no words of their own
        raise errors.BadConfiguration(f"image.ca_file = {ca_file!r} cannot be used: {error!r}.") from error


def _demand_settings(section: sections.Image) -> None:
    missing = [name for name in ("url", "auth_url") if not getattr(section, name)]
    if not section.application_credential_id:
        missing += [name for name in ("user", "password", "project") if not getattr(section, name)]
    if missing:
        raise errors.BadConfiguration(f"The image driver http needs {', '.join(f'image.{name}' for name in missing)}.",
                                      remedy="Set them in the section [image] of the configuration.")
