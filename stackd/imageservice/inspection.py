"""What the bytes of an image really are, found while they stream by: size, hashes, format, and whether they are safe.

A disk image can name other files of the host that opens it (a backing file, an external data file, extents), or
be two formats at once, so that the checker sees one and the hypervisor the other. Such bytes are refused here,
before anybody can open them. The upload calls it in a thread.
"""

import hashlib
import struct
from typing import IO, cast

from oslo_utils.imageutils import format_inspector

from stackd import errors
from stackd.model.images import StoredBytes

MOST_VIRTUAL_SIZE = 1 << 53
"""Bytes of a disk; no host has more, and no database keeps any number a header may say."""
_PLAIN = frozenset({"raw", "gpt"})
_ACCEPTED = {
    "raw": _PLAIN, "ami": _PLAIN, "ari": _PLAIN, "aki": _PLAIN,
    # A CD that also boots from a USB stick has a partition table in front.
    "iso": frozenset({"iso", "gpt"}),
}
_QCOW2_HEAD = struct.Struct(">4sIQIIQI")
"""Magic, version, where a backing file's name is and how long, bits of a cluster's size, virtual size, encryption."""
_CLUSTER_BITS = range(9, 22)
"""Those of a qcow2 that QEMU opens."""
_SAME_NAME = ("qcow2", "vhd", "vmdk", "vdi", "iso")


class _Block:
    """The source that oslo's wrapper reads from: one block at a time, handed in from outside."""

    def __init__(self) -> None:
        self.block = b""

    def read(self, size: int) -> bytes:
        return self.block


class Inspection:
    """Fed with every block in order; :meth:`verdict` at the end."""

    def __init__(self, disk_format: str, max_size: int, expected: int | None) -> None:
        """``disk_format`` is what the user claims; ``expected`` the size that was announced, if any."""
        self._claimed = disk_format
        self._max_size = max_size
        self._expected = expected
        self._size = 0
        # Glance's clients compare with an MD5; the SHA-512 is the one to trust.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self._source = _Block()
        self._formats = format_inspector.InspectWrapper(
            cast(IO[bytes], self._source), expected_format=disk_format if disk_format in _SAME_NAME else None)

    def feed(self, block: bytes) -> None:
        """The next block; raises ``PayloadTooLarge``, or ``InvalidImage`` as soon as it is certain."""
        self._size += len(block)
        if self._size > self._max_size:
            raise errors.PayloadTooLarge(f"The image is larger than the limit of {self._max_size} bytes.",
                                         remedy="Shrink it, for example to a compressed qcow2.")
        self._md5.update(block)
        self._sha512.update(block)
        self._source.block = block
        try:
            self._formats.read(len(block))
        except Exception as error:
            # The parser of the claimed format met something it cannot read; that is the user's content.
            raise self._refusal(str(error) or type(error).__name__) from error

    def verdict(self) -> StoredBytes:
        """After the last block: what to remember of the bytes; raises ``InvalidImage``."""
        if self._expected is not None and self._expected != self._size:
            raise errors.InvalidImage(f"{self._expected} bytes were announced, but {self._size} came.",
                                      remedy="Upload the image again.")
        self._formats.close()
        found = {str(inspector): inspector for inspector in self._formats.formats or ()}
        accepted = _ACCEPTED.get(self._claimed, frozenset({self._claimed}))
        if not found.keys() <= accepted or (self._claimed in _SAME_NAME and self._claimed not in found):
            raise self._refusal(f"they look like {' and '.join(sorted(found)) or 'nothing known'}")
        if "qcow2" in found:
            _demand_usable(found["qcow2"])
        return StoredBytes(size=self._size, checksum=self._md5.hexdigest(), hash_value=self._sha512.hexdigest(),
                           virtual_size=self._virtual_size(found.get(self._claimed)))

    def _virtual_size(self, inspector: format_inspector.FileInspector | None) -> int:
        if inspector is None or self._claimed == "raw":
            return self._size
        try:
            inspector.safety_check()
            size = int(inspector.virtual_size)
        except format_inspector.SafetyCheckFailed as error:
            reasons = ", ".join(f"{name} ({reason})" for name, reason in sorted(error.failures.items()))
            raise errors.InvalidImage(
                f"The image is refused because it is not safe: {reasons}.",
                remedy="Convert it to a standalone image, for example with 'qemu-img convert'.") from error
        except Exception as error:
            raise self._refusal(str(error) or type(error).__name__) from error
        if not 0 <= size <= MOST_VIRTUAL_SIZE:
            raise errors.InvalidImage(f"The image says that its disk has {size} bytes; at most {MOST_VIRTUAL_SIZE} can "
                                      "be.", remedy="Make it anew with the size it shall have, then upload it again.")
        return size

    def _refusal(self, reason: str) -> errors.InvalidImage:
        return errors.InvalidImage(f"The bytes are not what disk_format {self._claimed} says: {reason}.",
                                   remedy="Set the right disk_format, or convert the image, then upload it again.")


def _demand_usable(qcow2: format_inspector.FileInspector) -> None:
    """What no host could boot is better refused than launched."""
    *_, cluster_bits, _, encryption = _QCOW2_HEAD.unpack(qcow2.region("header").data[:_QCOW2_HEAD.size])
    if encryption:
        raise errors.InvalidImage("The image is refused: it is encrypted, and no host has its key.",
                                  remedy="Decrypt it, for example with 'qemu-img convert'.")
    if cluster_bits not in _CLUSTER_BITS:
        raise errors.InvalidImage(f"The image is refused: its clusters of 2^{cluster_bits} bytes cannot be used.",
                                  remedy="Convert it anew, for example with 'qemu-img convert'.")
