"""Images: the catalogue's record, and the snapshot of it that an instance keeps."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen


class ImageStatus(Enum):
    """The life of an image, in Glance's words."""

    QUEUED = "queued"
    SAVING = "saving"
    ACTIVE = "active"
    KILLED = "killed"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


class Visibility(Enum):
    """Who sees an image."""

    PUBLIC = "public"
    PRIVATE = "private"
    COMMUNITY = "community"
    SHARED = "shared"


DISK_FORMATS = ("raw", "qcow2", "ami", "ari", "aki", "vhd", "vmdk", "vdi", "iso")
CONTAINER_FORMATS = ("bare", "ami", "ari", "aki", "ovf")


@frozen(kw_only=True)
class Image:
    """One row of the catalogue. Sizes in bytes, ``min_disk`` in GiB, ``min_ram`` in MiB, times epoch seconds.

    ``checksum`` is MD5 and ``hash_value`` SHA-512 of the bytes, both lower-case hex, once ACTIVE.
    ``properties`` are the user's own; ``kernel_id`` and ``ramdisk_id`` among them name AKI and ARI images.
    """

    id: str
    owner: str
    name: str
    status: ImageStatus
    visibility: Visibility = Visibility.SHARED
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    hash_value: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = field(default=(), converter=tuple)
    properties: Mapping[str, str] = field(factory=dict)
    created_at: float = 0.0
    updated_at: float = 0.0
    deleted_at: float | None = None


@frozen(kw_only=True)
class ImageFile:
    """What a host needs to fetch one image's bytes and to know that it got them."""

    id: str
    disk_format: str
    size: int
    checksum: str
    """MD5, lower-case hex."""


@frozen(kw_only=True)
class ImageSnapshot:
    """What an instance keeps of its image, taken before the launch's transaction.

    ``disk`` is the root disk; ``kernel`` and ``ramdisk`` are set for AMI images that boot by AKI and ARI.
    """

    id: str
    name: str
    disk: ImageFile
    kernel: ImageFile | None = None
    ramdisk: ImageFile | None = None
    min_disk: int = 0
    min_ram: int = 0
    properties: Mapping[str, str] = field(factory=dict)
