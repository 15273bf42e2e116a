"""A private libvirtd and the demo guest image, for live tests; imported by the modules that need them.

The image and what libvirtd finds out about QEMU are kept between runs, under ``STACKD_TEST_CACHE``.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from stackd.drivers.hypervisors.libvirt import LibvirtHypervisor, LibvirtOptions
from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.model.guests import GuestNic
from stackd.model.ids import new_id
from stackd.model.images import ImageFile, ImageSnapshot
from stackd.testing.contracts.hypervisor import HeldImages
from stackd.testing.guestimage.build import GuestImage, build

CACHE = Path(os.environ.get("STACKD_TEST_CACHE", Path(tempfile.gettempdir()) / f"stackd-tests-{os.getuid()}"))


@pytest.fixture(scope="session")
def guest_image() -> GuestImage:
    """The demo guest image, built when it is not there."""
    return build(CACHE / "guestimage")


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A running libvirtd of our own; at the end its guests and everything else of it are gone."""
    folder = Path(tempfile.mkdtemp(prefix="sv"))
    private = PrivateLibvirtd(folder / "h", cache=CACHE / "capabilities")
    private.start()
    yield private
    private.wipe()
    shutil.rmtree(folder, ignore_errors=True)


class LibvirtBench:
    """One host: a libvirtd, a state folder and an image source. Guests made here are removed at the end."""

    def __init__(self, libvirtd: PrivateLibvirtd, folder: Path, image: GuestImage, options: LibvirtOptions) -> None:
        self.libvirtd = libvirtd
        self.folder = folder
        self.images = HeldImages()
        self._image = image
        self._options = options
        self._drivers: list[Any] = []

    def driver(self, **options: Any) -> LibvirtHypervisor:
        """A new driver over the same libvirtd and folder."""
        made = LibvirtHypervisor(reactor, self.images, self.folder, self.libvirtd.uri, self._options)
        self._drivers.append(made)
        return made

    def held(self, path: str, disk_format: str) -> ImageFile:
        """A file, held by the image source."""
        return self.images.hold(Path(path).read_bytes(), disk_format)

    def snapshot(self) -> ImageSnapshot:
        """The demo guest by AKI, ARI and AMI."""
        return ImageSnapshot(id=new_id(), name="tiny", disk=self.held(self._image.ami, "ami"),
                             kernel=self.held(self._image.aki, "aki"), ramdisk=self.held(self._image.ari, "ari"))

    def whole_disk(self) -> ImageSnapshot:
        """The demo guest as one bootable disk."""
        return ImageSnapshot(id=new_id(), name="tiny-disk", disk=self.held(self._image.qcow2, "qcow2"))

    def nics(self) -> tuple[GuestNic, ...]:
        """No network is needed here."""
        return ()

    async def clean(self) -> None:
        """Remove the guests, then close every driver."""
        last = self.driver()
        for guest in await last.guests():
            await last.remove(guest.id)
        for driver in self._drivers:
            await driver.close()


@pytest_twisted.async_yield_fixture
async def bench(libvirtd: PrivateLibvirtd, tmp_path: Path, guest_image: GuestImage) -> Any:
    """A host whose guests are translated by QEMU, so that it is the same everywhere."""
    made = LibvirtBench(libvirtd, tmp_path / "state", guest_image, LibvirtOptions(virt_type="qemu", threads=4))
    yield made
    await made.clean()
