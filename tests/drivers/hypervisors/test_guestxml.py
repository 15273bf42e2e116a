"""The domain XML says what the specification says, and nothing a user wrote can break out of it."""

from pathlib import Path
from xml.etree import ElementTree as etree

import pytest
from attrs import evolve

from stackd.drivers.hypervisors.guestxml import (
    METADATA_URI,
    GuestFiles,
    Machine,
    Marks,
    domain_xml,
    marks_xml,
    parse_marks,
)
from stackd.model.guests import GuestNic, GuestSpec
from stackd.model.images import ImageFile, ImageSnapshot

DISK = ImageFile(id="d" * 32, disk_format="qcow2", size=1, checksum="0" * 32)
SPEC = GuestSpec(id="0123456789abcdef0123456789abcdef", name="moon", vcpus=3, memory_mib=192, disk_gib=1,
                 image=ImageSnapshot(id=DISK.id, name="tiny", disk=DISK), reboots=2, epoch=5)
FILES = GuestFiles(disk=Path("/s/disk.qcow2"), console=Path("/s/console.log"))
QEMU = Machine(virt_type="qemu")


def tree(spec: GuestSpec = SPEC, files: GuestFiles = FILES, machine: Machine = QEMU) -> etree.Element:
    """The domain, parsed again."""
    return etree.fromstring(domain_xml(spec, files, machine))


def test_size_name_and_identity_are_the_specification_s() -> None:
    domain = tree()
    assert domain.findtext("uuid") == "01234567-89ab-cdef-0123-456789abcdef"
    assert (domain.findtext("memory"), domain.findtext("vcpu"), domain.findtext("title")) == ("192", "3", "moon")


def test_our_marks_are_in_the_metadata() -> None:
    ours = tree().find(f"metadata/{{{METADATA_URI}}}guest")
    assert ours is not None
    assert parse_marks(etree.tostring(ours, encoding="unicode")) == Marks(epoch=5, reboots=2)


def test_a_shutdown_of_ours_stays_marked_when_the_guest_is_defined_anew() -> None:
    domain = etree.fromstring(domain_xml(SPEC, FILES, QEMU, Marks(epoch=1, shutdown_at=7.5, shutdown_generation=3)))
    ours = domain.find(f"metadata/{{{METADATA_URI}}}guest")
    assert ours is not None
    assert parse_marks(etree.tostring(ours, encoding="unicode")) == Marks(
        epoch=5, reboots=2, shutdown_at=7.5, shutdown_generation=3)


@pytest.mark.parametrize("marks", [
    Marks(), Marks(epoch=3, reboots=9, shutdown_at=1700000000.25),
    Marks(epoch=3, reboots=9, shutdown_at=1700000000.25, shutdown_generation=12)])
def test_marks_are_read_back_as_they_were_written(marks: Marks) -> None:
    assert parse_marks(marks_xml(SPEC.id, marks)) == marks


def test_marks_of_a_release_that_told_no_generation_are_read() -> None:
    old = f'<guest id="{SPEC.id}" epoch="3" reboots="9" shutdown-at="1700000000.25"/>'
    assert parse_marks(old) == Marks(epoch=3, reboots=9, shutdown_at=1700000000.25)


def test_a_whole_disk_boots_from_itself_and_an_ami_by_its_kernel() -> None:
    assert tree().find("os/boot") is not None
    direct = tree(files=evolve(FILES, kernel=Path("/i/aki"), ramdisk=Path("/i/ari")))
    assert (direct.findtext("os/kernel"), direct.findtext("os/initrd")) == ("/i/aki", "/i/ari")
    assert (direct.findtext("os/cmdline") or "").startswith("root=/dev/vda console=ttyS0")
    assert direct.find("os/boot") is None


def test_an_image_may_bring_its_own_kernel_command_line() -> None:
    spec = evolve(SPEC, image=evolve(SPEC.image, properties={"os_command_line": "root=/dev/vda1 quiet"}))
    assert tree(spec, evolve(FILES, kernel=Path("/i/aki"))).findtext("os/cmdline") == "root=/dev/vda1 quiet"


def test_each_interface_has_its_own_mac_tap_bridge_and_mtu() -> None:
    nics = tuple(GuestNic(port_id=str(n), mac=f"02:00:00:00:00:0{n}", tap=f"tap{n}", bridge="sbr1", mtu=1450)
                 for n in (1, 2))
    found = tree(evolve(SPEC, nics=nics)).findall("devices/interface")
    shown = [[part.get(key) for part, key in zip(nic, ("address", "bridge", "dev", "type", "size", "bar"), strict=True)]
             for nic in found]
    assert shown == [[f"02:00:00:00:00:0{n}", "sbr1", f"tap{n}", "virtio", "1450", "off"] for n in (1, 2)]


def test_the_console_appends_so_that_it_can_be_cut_short() -> None:
    source = tree().find("devices/serial/source")
    assert source is not None
    assert source.attrib == {"path": "/s/console.log", "append": "on"}


@pytest.mark.parametrize("name", ["</title><devices/>", "a\x00b\x1bc", "&lt;\n", "", "ü" * 300])
def test_a_hostile_name_stays_a_name(name: str) -> None:
    domain = tree(evolve(SPEC, name=name))
    assert len(domain.findall("devices")) == 1
    assert domain.findtext("title")


def test_kvm_guests_get_the_host_s_cpu_and_translated_ones_all_qemu_can_and_a_bounded_cache() -> None:
    shown = {kind: (domain.get("type"), domain.find("cpu[@mode]").get("mode"),  # type: ignore[union-attr]
                    domain.findtext("features/tcg/tb-cache"))
             for kind in ("kvm", "qemu") for domain in [tree(machine=Machine(virt_type=kind))]}
    assert shown == {"kvm": ("kvm", "host-passthrough", None), "qemu": ("qemu", "maximum", "64")}
