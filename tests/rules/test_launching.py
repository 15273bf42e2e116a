"""What an instance keeps of its image, and which images it cannot be made of."""

import pytest
from attrs import evolve

from stackd import errors
from stackd.model.images import Image, ImageStatus
from stackd.rules import launching

IMAGE = Image(id="a" * 32, owner="b" * 32, name="x", status=ImageStatus.ACTIVE, disk_format="qcow2", size=1,
              checksum="c" * 32, hash_value="d" * 128)


def test_bytes_are_checked_by_md5_else_by_sha512() -> None:
    """Hosts of earlier releases know the first only."""
    assert (launching.file_of(IMAGE).checksum, launching.file_of(IMAGE).hash_value) == ("c" * 32, "")
    without = launching.file_of(evolve(IMAGE, checksum=None))
    assert (without.checksum, without.hash_value) == ("", "d" * 128)


@pytest.mark.parametrize(("image", "words"), [
    (evolve(IMAGE, status=ImageStatus.SAVING), "is saving, not active"),
    (evolve(IMAGE, checksum=None, hash_value=None), "neither its MD5 nor its SHA-512"),
    (evolve(IMAGE, size=None), "no size"),
    (evolve(IMAGE, disk_format="iso"), "cannot be booted"),
    (evolve(IMAGE, properties={"poem": "\1" * 10_240}), "61451 bytes of properties; an instance keeps at most 61440"),
])
def test_images_no_instance_can_be_made_of(image: Image, words: str) -> None:
    with pytest.raises(errors.InvalidImage, match=words):
        launching.snapshot(image, None, None)


def test_metadata_is_no_more_than_a_column_takes() -> None:
    """However few its characters are."""
    launching.check_metadata({f"{number:03}": "x" * 255 for number in range(200)})
    with pytest.raises(errors.InvalidValue, match="at most 65535"):
        launching.check_metadata({f"{number:03}": "\N{ELEPHANT}" * 255 for number in range(64)})
