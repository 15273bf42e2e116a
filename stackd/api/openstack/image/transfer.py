"""The bytes of an image over HTTP: an upload streamed in, a download or a part of one streamed out."""

import re
from collections.abc import AsyncGenerator

from stackd import errors
from stackd.api.openstack import streaming
from stackd.api.openstack.http import Answer, Call, number
from stackd.api.openstack.image import views
from stackd.interfaces.imageservice import IContent
from stackd.model.images import Image

OCTETS = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


async def upload(content: IContent, call: Call, image_id: str) -> Answer:
    """Stream the body into the image; it ends in order also when the client goes away."""
    media = (call.raw.getHeader("content-type") or "").split(";")[0].strip().lower()
    if media != OCTETS:
        raise errors.UnsupportedMediaType(f"The bytes of an image cannot be sent as {media or 'no content type'}.",
                                          remedy=f"Send them as {OCTETS}.")
    await streaming.uncancelled(content.upload(
        call.caller, image_id, streaming.body_of(call.raw), _announced(call)))
    return Answer(None, 204)


async def download(content: IContent, call: Call, image_id: str) -> Answer:
    """Stream the bytes out; 204 while there are none, 206 for a part, 416 for a part beyond the end."""
    image = await content.for_download(call.caller, image_id)
    if image.checksum is None or image.size is None:
        return Answer(None, 204)
    wanted = _range(call.raw.getHeader("range"), image.size)
    if wanted is None:
        return Answer(None, 416, {"Content-Range": f"bytes */{image.size}"})
    offset, length = wanted
    answer = Answer(b"", 200 if length == image.size else 206, _headers(image, offset, length))
    if call.method != "HEAD" and length:
        await _stream(call, answer, content.read(image_id, offset, length))  # type: ignore[arg-type]
    return answer


async def _stream(call: Call, answer: Answer, blocks: AsyncGenerator[bytes, None]) -> None:
    # An error before the first block is still an ordinary answer.
    # Not anext with a default: in Python 3.11 that fails when the generator really waits.
    try:
        first = await anext(blocks)
    except StopAsyncIteration:
        first = b""
    call.raw.setResponseCode(answer.status)
    for name, value in answer.headers.items():
        call.raw.setHeader(name, value)

    async def all_blocks() -> AsyncGenerator[bytes, None]:
        yield first
        async for block in blocks:
            yield block

    await streaming.send(call.raw, all_blocks())


def _headers(image: Image, offset: int, length: int) -> dict[str, str]:
    headers = {**views.checksums(image), "Content-Type": OCTETS, "Content-Length": str(length),
               "Accept-Ranges": "bytes"}
    if length != image.size:
        # The checksum is that of the whole; on a part it would be wrong.
        del headers["Content-MD5"]
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{image.size}"
    return headers


def _announced(call: Call) -> int | None:
    for header in ("x-openstack-image-size", "content-length"):
        value = call.raw.getHeader(header)
        if value is not None:
            return number(header, value)
    return None


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """(offset, length); the whole when nothing usable is asked for, None when it lies beyond the end."""
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or not (match[1] or match[2]):
        return 0, size
    if not match[1]:
        offset = max(0, size - int(match[2]))
        return (offset, size - offset) if int(match[2]) and size else None
    offset, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if match[2] and int(match[2]) < offset:
        return 0, size
    return None if offset >= size else (offset, last - offset + 1)
