"""What a launch makes: pure checks of the request, the image's snapshot, and the new instances."""

import re
from collections.abc import Callable, Mapping, Sequence

import orjson

from stackd import errors
from stackd.model import kinds
from stackd.model.callers import Caller
from stackd.model.flavors import Flavor
from stackd.model.ids import ec2_id
from stackd.model.images import Image, ImageFile, ImageSnapshot, ImageStatus
from stackd.model.instances import Instance, LaunchRequest
from stackd.rules import images

MAX_COUNT = 1000
MAX_USER_DATA = 65535
MAX_METADATA_LENGTH = 255
MAX_METADATA_BYTES = 65535
"""As JSON: what a column of MariaDB takes."""
MAX_LABELS, MAX_LABEL_LENGTH = 50, 60
BOOTABLE_FORMATS = ("raw", "qcow2", "ami")
GIB = 1 << 30


def check_request(request: LaunchRequest) -> None:
    """Raise a typed error for counts, names, metadata or user data outside their limits."""
    if not 1 <= request.min_count <= request.max_count:
        raise errors.InvalidValue("min_count", f"it must be between 1 and max_count ({request.max_count})")
    if request.max_count > MAX_COUNT:
        raise errors.InvalidValue("max_count", f"at most {MAX_COUNT} instances can be launched at once")
    if request.user_data is not None and len(request.user_data) > MAX_USER_DATA:
        raise errors.InvalidValue("user_data", f"it is larger than {MAX_USER_DATA} bytes")
    check_metadata(request.metadata)
    check_labels(request.labels)
    if request.max_count > 1 and request.networks and any(one.port_id or one.fixed_ip for one in request.networks):
        raise errors.ConflictingValues("A port or a fixed address can serve only one instance.",
                                       remedy="Launch one instance at a time.")


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raise unless every key has 1 to 255 characters, every value at most 255, and all together 65,535 bytes."""
    for key, value in metadata.items():
        if not 1 <= len(key) <= MAX_METADATA_LENGTH:
            raise errors.InvalidValue("metadata", "keys must have 1 to 255 characters")
        if len(value) > MAX_METADATA_LENGTH:
            raise errors.InvalidValue("metadata", f"the value of {key!r} is longer than 255 characters")
    if (size := len(orjson.dumps(dict(metadata)))) > MAX_METADATA_BYTES:
        raise errors.InvalidValue("metadata", f"it is {size} bytes in all; at most {MAX_METADATA_BYTES} are kept")


def check_labels(labels: Sequence[str]) -> None:
    """Raise unless there are at most 50, each of 1 to 60 characters that are neither commas nor slashes."""
    if len(labels) > MAX_LABELS:
        raise errors.InvalidValue("tags", f"an instance can have at most {MAX_LABELS}")
    for label in labels:
        if not 1 <= len(label) <= MAX_LABEL_LENGTH or "," in label or "/" in label:
            raise errors.InvalidValue("tags", f"'{label}' must have 1 to {MAX_LABEL_LENGTH} characters, no comma and "
                                              "no slash")


def snapshot(image: Image, kernel: Image | None, ramdisk: Image | None) -> ImageSnapshot:
    """What an instance keeps of its image; raises ``InvalidImage`` when it cannot be booted."""
    if image.disk_format not in BOOTABLE_FORMATS:
        raise errors.InvalidImage(f"Image {image.id} has the format {image.disk_format}, which cannot be booted; "
                                  f"bootable formats are {', '.join(BOOTABLE_FORMATS)}.")
    if (size := images.weight(image.properties)) > images.MOST_OF_PROPERTIES:
        raise errors.InvalidImage(f"Image {image.id} has {size} bytes of properties; an instance keeps at most "
                                  f"{images.MOST_OF_PROPERTIES}.",
                                  remedy="Remove or shorten some of them, or choose another image.")
    return ImageSnapshot(id=image.id, name=image.name, disk=file_of(image),
                         kernel=file_of(kernel) if kernel else None, ramdisk=file_of(ramdisk) if ramdisk else None,
                         min_disk=max(image.min_disk, gib_of(image)), min_ram=image.min_ram,
                         properties=dict(image.properties))


def file_of(image: Image) -> ImageFile:
    """What a host needs to fetch the image; raises ``InvalidImage`` unless it is active and can be checked."""
    if image.status is not ImageStatus.ACTIVE:
        raise errors.InvalidImage(f"Image {image.id} is {image.status.value}, not active.",
                                  remedy="Wait until its upload is complete, or choose another image.")
    if image.size is None or not (image.checksum or image.hash_value):
        raise errors.InvalidImage(f"The image service tells no size of image {image.id}, or neither its MD5 nor its "
                                  "SHA-512, so its bytes could not be checked.",
                                  remedy="Upload the image again, or choose another image.")
    return ImageFile(id=image.id, disk_format=image.disk_format or "raw", size=image.size,
                     checksum=image.checksum or "", hash_value="" if image.checksum else image.hash_value or "")


def gib_of(image: Image) -> int:
    """How many GiB the image's disk needs, rounded up."""
    return -(-(image.virtual_size or image.size or 0) // GIB)


def check_fit(image: ImageSnapshot, flavor: Flavor) -> None:
    """Raise ``InvalidImage`` when the flavor is too small; a flavor disk of 0 takes the image's own size."""
    if image.min_ram > flavor.memory_mib:
        raise errors.InvalidImage(f"Image {image.id} needs {image.min_ram} MiB of memory; flavor {flavor.name} has "
                                  f"{flavor.memory_mib}.")
    if flavor.disk_gib and image.min_disk > flavor.disk_gib:
        raise errors.InvalidImage(f"Image {image.id} needs a disk of {image.min_disk} GiB; flavor {flavor.name} has "
                                  f"{flavor.disk_gib}.")


def granted(request: LaunchRequest, flavor: Flavor, room: Callable[[int], None]) -> int:
    """How many instances are granted between min_count and max_count; ``room(n)`` raises when n are too many."""
    for count in range(request.max_count, request.min_count, -1):
        try:
            room(count)
        except errors.QuotaExceeded:
            continue
        return count
    room(request.min_count)
    return request.min_count


def instances_of(request: LaunchRequest, caller: Caller, ids: list[str], reservation_id: str, flavor: Flavor,
                 image: ImageSnapshot, public_key: str, now: float) -> list[Instance]:
    """The new instances, in launch order."""
    return [Instance(
        id=id, project_id=caller.project_id, user_id=caller.user_id,
        name=name_of(request.name, id, index, len(ids)),
        hostname=hostname_of(name_of(request.name, id, index, len(ids))),
        reservation_id=reservation_id, launch_index=index, flavor=flavor, image=image,
        key_name=request.key_name or "", public_key=public_key, metadata=dict(request.metadata),
        has_user_data=bool(request.user_data), config_drive=request.config_drive, zone_wanted=request.zone,
        on_launch_fault=request.on_launch_fault, description=request.description,
        labels=request.labels, access_ipv4=request.access_ipv4, access_ipv6=request.access_ipv6, created_at=now,
        updated_at=now, request_id=caller.request_id) for index, id in enumerate(ids)]


def name_of(name: str, id: str, index: int, count: int) -> str:
    """The name asked for, numbered when there are several; without one, the EC2 id."""
    if not name:
        return ec2_id(kinds.INSTANCE, id)
    return f"{name}-{index + 1}" if count > 1 else name


def hostname_of(name: str) -> str:
    """A host name of at most 63 letters, digits and dashes, made from a free name."""
    slug = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-")
    return slug or "server"
