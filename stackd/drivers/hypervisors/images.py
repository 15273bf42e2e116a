"""Image bytes as a hypervisor driver reads them: every block counted and summed, the end compared with the catalogue.

The fake driver and the image cache read through it, so both notice an image that changed or was cut short.
"""

import hashlib
from collections.abc import AsyncIterator

from stackd.errors import ImageVanished
from stackd.interfaces.images import IImages
from stackd.model.images import ImageFile, ImageSnapshot


def files_of(image: ImageSnapshot) -> tuple[ImageFile, ...]:
    """The files a guest of this image boots from: the disk, then kernel and ramdisk where it has them."""
    return tuple(file for file in (image.disk, image.kernel, image.ramdisk) if file is not None)


async def checked_blocks(images: IImages, file: ImageFile) -> AsyncIterator[bytes]:
    """The blocks of one image file; raises ``ImageVanished`` when they are gone or not what the catalogue said.

    The last check comes after the last block: whoever keeps the bytes must not use them before the loop has ended.
    """
    # Some image services know no MD5.
    name, expected = ("MD5", file.checksum) if file.checksum else ("SHA-512", file.hash_value)
    hashed = hashlib.md5(usedforsecurity=False) if file.checksum else hashlib.sha512()
    size = 0
    async for block in images.read(file.id):
        hashed.update(block)
        size += len(block)
        if size > file.size:
            break
        yield block
    if size != file.size or hashed.hexdigest() != expected:
        raise ImageVanished(f"The bytes of image {file.id} are not those of the catalogue: "
                            f"{size} of {file.size} bytes, {name} {hashed.hexdigest()} instead of {expected}.")
