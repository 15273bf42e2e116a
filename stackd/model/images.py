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
    tags: tuple[str, ...] = ()
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
    """MD5, lower-case hex; empty where the image service knows none."""
    hash_value: str = ""
    """SHA-512, lower-case hex, where there is no MD5."""


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


@frozen(kw_only=True)
class NewImage:
    """What a user asks for when creating an image; ``id`` is the 32-digit one of their choice, or None.

    ``owner`` is None for the caller's own project; only an admin may name another.
    """

    name: str = ""
    id: str | None = None
    owner: str | None = None
    visibility: Visibility = Visibility.SHARED
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class StoredBytes:
    """What is known of bytes once they were streamed into the store. Hashes lower-case hex, sizes in bytes."""

    size: int
    checksum: str
    hash_value: str
    virtual_size: int


class MemberStatus(Enum):
    """Whether a project wants an image that was shared with it in its lists."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@frozen(kw_only=True)
class ImageMember:
    """A project that a shared image was shared with."""

    image_id: str
    member: str
    status: MemberStatus = MemberStatus.PENDING
    created_at: float = 0.0
    updated_at: float = 0.0


IMAGE_SORT_KEYS = ("created_at", "updated_at", "id", "name", "status", "container_format", "disk_format", "size")


@frozen(kw_only=True)
class ImageQuery:
    """Which images to list; an empty tuple or None asks nothing of that field.

    ``times`` are (column, operator of ``gt gte lt lte eq neq``, epoch seconds). ``sort`` is (key, descending), the
    keys from ``IMAGE_SORT_KEYS``; ``id`` is added where it is missing. Without ``visibility`` other projects'
    community images are left out unless ``community``. ``member_status`` is that of images shared with the caller;
    None is any. ``id_from`` and ``id_to`` bound the ids, both inclusive. ``viewer`` is the project whose list it is;
    None is the caller's, only an admin may name another.
    """

    ids: tuple[str, ...] = ()
    id_from: str | None = None
    id_to: str | None = None
    viewer: str | None = None
    names: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    disk_formats: tuple[str, ...] = ()
    container_formats: tuple[str, ...] = ()
    checksums: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    visibility: Visibility | None = None
    community: bool = False
    protected: bool | None = None
    hidden: bool | None = False
    size_min: int | None = None
    size_max: int | None = None
    times: tuple[tuple[str, str, float], ...] = ()
    properties: Mapping[str, str] = field(factory=dict)
    member_status: MemberStatus | None = MemberStatus.ACCEPTED
    sort: tuple[tuple[str, bool], ...] = (("created_at", True), ("id", True))
    limit: int = 1000
    marker: str | None = None
