"""The examinations of ``stackd doctor``: each looks at one thing of this machine and changes nothing.

Kernel features are tried in a network namespace of their own, which is gone when the command ends.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from attrs import frozen

from stackd.drivers.hypervisors.kvmprobe import kvm_works

TIMEOUT = 20.0
ROOTS_PATH = "/usr/sbin:/sbin"
BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")

PROGRAMS = {
    "libvirtd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "dnsmasq": "dnsmasq-base",
    "nft": "nftables",
    "ip": "iproute2",
    "modprobe": "kmod",
    "sysctl": "procps",
}
"""What the real drivers call -> the Debian package that brings it."""

DEMO_PROGRAMS = {
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "busybox": "busybox-static",
    "dropbear": "dropbear-bin",
    "ssh": "openssh-client",
}
"""What the demo image is made and visited with; other clouds do without."""

KERNEL = {
    "kernel: network namespaces": ("ip", "link", "show"),
    "kernel: bridges": ("ip", "link", "add", "br0", "type", "bridge"),
    "kernel: veth pairs": ("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"),
    "kernel: VXLAN": ("ip", "link", "add", "vxlan0", "type", "vxlan", "id", "1", "dstport", "4789"),
    "kernel: tap devices": ("ip", "tuntap", "add", "dev", "tap0", "mode", "tap"),
    "kernel: nftables inet": ("nft", "add table inet t; add chain inet t c { type nat hook postrouting priority 0; }"),
    "kernel: nftables bridge": (
        "nft", "add table bridge t; add chain bridge t c { type filter hook forward priority 0; }"),
}
"""What the Linux bridge driver needs -> a command that tries it inside a new network namespace."""

NEWER_KERNEL = "boot a kernel that has it, for example: apt-get install -y linux-image-amd64 && reboot"
PIP = f"{sys.executable} -m pip install"
"""Adds what is missing beside what is there, wherever this Python's libraries are."""


@frozen(kw_only=True)
class Finding:
    """What one examination found; ``package`` is Debian's, ``remedy`` a command; hosts need not have all."""

    name: str
    well: bool
    detail: str = ""
    package: str = ""
    remedy: str = ""
    needed: bool = True


def python_part() -> Iterator[Finding]:
    """Python and the libraries stackd declares."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(name="Python", well=sys.version_info >= (3, 11), detail=f"{version} (3.11 or newer)",
                  package="python3")
    missing = missing_libraries()
    yield Finding(name="Python libraries", well=not missing, detail=", ".join(missing) or "all there",
                  remedy=f"{PIP} stackd")


def machine_part() -> Iterator[Finding]:
    """What the real drivers need."""
    yield Finding(name="root", well=os.geteuid() == 0, detail="needed for guests' networks",
                  remedy="run stackd as root, or use --drivers fake")
    yield libvirt_library()
    yield from (program(name, package) for name, package in PROGRAMS.items())
    yield from (program(name, package, needed=False) for name, package in DEMO_PROGRAMS.items())
    yield from kernel_part()


def kernel_part() -> Iterator[Finding]:
    """What the kernel must do for them."""
    yield from map(kernel_feature, KERNEL)
    yield bridge_filter()
    yield tap_device()
    yield kvm()


def missing_libraries() -> list[str]:
    """Declared libraries that are not installed; extras are not looked at."""
    try:
        declared = metadata.requires("stackd") or []
    except metadata.PackageNotFoundError:
        return ["stackd itself is not installed"]
    names = [re.split(r"[^\w.-]", requirement)[0] for requirement in declared if "extra ==" not in requirement]
    return [name for name in names if not installed(name)]


def installed(library: str) -> bool:
    """Whether Python knows a distribution of this name."""
    try:
        metadata.version(library)
    except metadata.PackageNotFoundError:
        return False
    return True


def libvirt_library() -> Finding:
    """The Python binding of libvirt, loaded for real: it fails when the C library does not fit."""
    try:
        binding = importlib.import_module("libvirt")
    except ImportError as error:
        return Finding(name="libvirt for Python", well=False, detail=str(error),
                       package="gcc libvirt-dev pkg-config python3-dev", remedy=f"{PIP} 'stackd[libvirt]'")
    return Finding(name="libvirt for Python", well=True, detail=str(binding.getVersion()))


def program(name: str, package: str, needed: bool = True) -> Finding:
    """A program on PATH, or where only root looks; what is not ``needed`` is the demo image's."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{ROOTS_PATH}")
    lacking = "not found" if needed else "not found; only the demo image is made or visited with it"
    return Finding(name=name, well=path is not None, detail=path or lacking, package=package, needed=needed)


def kernel_feature(name: str) -> Finding:
    """Try it in a namespace of its own."""
    words = try_command("unshare", "--net", *KERNEL[name])
    return Finding(name=name, well=not words, detail=words or "tried", remedy=NEWER_KERNEL)


def bridge_filter() -> Finding:
    """br_netfilter: security groups see bridged packets only with it; what prepares a host loads it."""
    if BRIDGE_FILTER.exists():
        return Finding(name="kernel: br_netfilter", well=True, detail="loaded")
    words = try_command("modprobe", "--dry-run", "br_netfilter")
    return Finding(name="kernel: br_netfilter", well=not words, detail=words or "a module, loaded when a host starts",
                   remedy=NEWER_KERNEL)


def tap_device() -> Finding:
    """The device that taps are made with."""
    there = Path("/dev/net/tun").exists()
    return Finding(name="/dev/net/tun", well=there, detail="there" if there else "not there", remedy="modprobe tun")


def kvm() -> Finding:
    """KVM as the hypervisor driver finds it out: by trying; without it guests run, ten times slower."""
    works = kvm_works()
    return Finding(name="KVM", well=works, needed=False,
                   detail="tried and works" if works else "does not work here; guests are emulated, which is slow",
                   remedy="enable virtualisation in the firmware, or nested virtualisation in the host below")


def try_command(*command: str) -> str:
    """What went wrong with the command, in one line; empty when it went well."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return "" if done.returncode == 0 else lines[0]
