"""Guest specification -> libvirt domain XML, and our own element in its metadata; pure functions.

Everything we must know of a guest after a crash stands in that element: which one it is, its placement epoch, the
reboots done, when we asked it to shut down. ``domains.py`` calls it.
"""

from pathlib import Path
from xml.etree import ElementTree as etree

from attrs import evolve, frozen

from stackd.model.devices import domain_name
from stackd.model.guests import GuestNic, GuestSpec
from stackd.model.ids import dashed

METADATA_URI = "urn:stackd:guest:1"
METADATA_KEY = "stackd"
DEFAULT_CMDLINE = "root=/dev/vda console=ttyS0 quiet mitigations=off no_timer_check"


@frozen(kw_only=True)
class GuestFiles:
    """Where a guest's parts are on this host; ``kernel`` and ``ramdisk`` None for whole disks."""

    disk: Path
    console: Path
    kernel: Path | None = None
    ramdisk: Path | None = None


@frozen(kw_only=True)
class Machine:
    """What every guest of a host is made like; ``tb_cache_mib`` bounds the translated code TCG keeps."""

    virt_type: str
    machine: str = "pc"
    tb_cache_mib: int = 64


@frozen(kw_only=True)
class Marks:
    """What our element carries beside the id; ``shutdown_at`` in epoch seconds, None when we did not ask.

    ``shutdown_generation`` is None beside it when the power was cut, or an earlier release asked.
    """

    epoch: int = 0
    reboots: int = 0
    shutdown_at: float | None = None
    shutdown_generation: int | None = None


def marks_xml(id: str, marks: Marks) -> str:
    """Our element, as ``setMetadata`` takes it."""
    element = etree.Element("guest", {"id": id, "epoch": str(marks.epoch), "reboots": str(marks.reboots)})
    if marks.shutdown_at is not None:
        element.set("shutdown-at", repr(marks.shutdown_at))
    if marks.shutdown_generation is not None:
        element.set("shutdown-generation", str(marks.shutdown_generation))
    return etree.tostring(element, encoding="unicode")


def parse_marks(text: str) -> Marks:
    """The marks in our element, as ``metadata`` gives it."""
    element = etree.fromstring(text)
    asked, generation = element.get("shutdown-at"), element.get("shutdown-generation")
    return Marks(epoch=int(element.get("epoch", "0")), reboots=int(element.get("reboots", "0")),
                 shutdown_at=float(asked) if asked is not None else None,
                 shutdown_generation=int(generation) if generation is not None else None)


def domain_xml(spec: GuestSpec, files: GuestFiles, machine: Machine, before: Marks | None = None) -> str:
    """The whole domain; what stays unsaid is libvirt's default. The shutdown marked ``before`` stays marked."""
    domain = etree.Element("domain", {"type": machine.virt_type})
    _leaf(domain, "name", domain_name(spec.id))
    _leaf(domain, "uuid", dashed(spec.id))
    _leaf(domain, "title", "".join(c for c in spec.name if c.isprintable())[:255] or spec.id)
    metadata = etree.SubElement(domain, "metadata")
    marks = evolve(before or Marks(), epoch=spec.epoch, reboots=spec.reboots)
    ours = etree.fromstring(marks_xml(spec.id, marks))
    etree.SubElement(metadata, f"{{{METADATA_URI}}}guest", ours.attrib)
    _leaf(domain, "memory", str(spec.memory_mib), unit="MiB")
    _leaf(domain, "vcpu", str(spec.vcpus))
    _add_boot(domain, spec, files, machine)
    _add_features(domain, machine)
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        _leaf(domain, event, action)
    _add_devices(etree.SubElement(domain, "devices"), spec, files)
    etree.register_namespace(METADATA_KEY, METADATA_URI)
    return etree.tostring(domain, encoding="unicode")


def _add_boot(domain: etree.Element, spec: GuestSpec, files: GuestFiles, machine: Machine) -> None:
    os = etree.SubElement(domain, "os")
    _leaf(os, "type", "hvm", arch="x86_64", machine=machine.machine)
    if files.kernel is None:
        etree.SubElement(os, "boot", {"dev": "hd"})
        return
    _leaf(os, "kernel", str(files.kernel))
    if files.ramdisk is not None:
        _leaf(os, "initrd", str(files.ramdisk))
    _leaf(os, "cmdline", spec.image.properties.get("os_command_line", DEFAULT_CMDLINE))


def _add_features(domain: etree.Element, machine: Machine) -> None:
    features = etree.SubElement(domain, "features")
    etree.SubElement(features, "acpi")
    if machine.virt_type == "kvm":
        etree.SubElement(domain, "cpu", {"mode": "host-passthrough", "migratable": "on"})
    else:
        etree.SubElement(domain, "cpu", {"mode": "maximum"})
        _leaf(etree.SubElement(features, "tcg"), "tb-cache", str(machine.tb_cache_mib), unit="MiB")
    clock = etree.SubElement(domain, "clock", {"offset": "utc"})
    etree.SubElement(clock, "timer", {"name": "hpet", "present": "no"})


def _add_devices(devices: etree.Element, spec: GuestSpec, files: GuestFiles) -> None:
    disk = etree.SubElement(devices, "disk", {"type": "file", "device": "disk"})
    etree.SubElement(disk, "driver", {"name": "qemu", "type": "qcow2", "discard": "unmap"})
    etree.SubElement(disk, "source", {"file": str(files.disk)})
    etree.SubElement(disk, "target", {"dev": "vda", "bus": "virtio"})
    for nic in spec.nics:
        _add_interface(devices, nic)
    serial = etree.SubElement(devices, "serial", {"type": "file"})
    # Appending lets us cut the file short under a running guest: its next byte goes to the new end.
    etree.SubElement(serial, "source", {"path": str(files.console), "append": "on"})
    etree.SubElement(serial, "target", {"port": "0"})
    etree.SubElement(devices, "controller", {"type": "usb", "model": "none"})
    etree.SubElement(devices, "memballoon", {"model": "virtio"})
    rng = etree.SubElement(devices, "rng", {"model": "virtio"})
    _leaf(rng, "backend", "/dev/urandom", model="random")


def _add_interface(devices: etree.Element, nic: GuestNic) -> None:
    interface = etree.SubElement(devices, "interface", {"type": "bridge"})
    etree.SubElement(interface, "mac", {"address": nic.mac})
    etree.SubElement(interface, "source", {"bridge": nic.bridge})
    etree.SubElement(interface, "target", {"dev": nic.tap})
    etree.SubElement(interface, "model", {"type": "virtio"})
    etree.SubElement(interface, "mtu", {"size": str(nic.mtu)})
    etree.SubElement(interface, "rom", {"bar": "off"})


def _leaf(parent: etree.Element, tag: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, tag, attributes).text = text
