"""The control plane's share of a real warm boot: from the request to QEMU running, less what libvirt alone takes.

Needs root and libvirt. The cloud is that of ``make cloud``, in a folder and on ports of its own.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.faces import Ec2
from bench.figures import Figure, say
from bench.subject import free_base, settings
from bench.wire import Connection
from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.testing.demo.first_vm import IMAGE, FirstVM
from stackd.testing.demo.process import CloudProcess
from stackd.testing.guestimage.build import build

TARGET = 150
LOOK = 0.005
SECONDS = 120.0


class RealPlace:
    """A cloud of real guests; for ``with``. Nothing of it is left at the end."""

    def __init__(self, guest_image: Path) -> None:
        """``guest_image`` is the folder the demonstration's image is built in, where it is not there yet."""
        self.state = Path(tempfile.mkdtemp(prefix="stackd-bench-"))
        self.base = free_base()
        self.process = CloudProcess(self.state, self.base)
        self._guest_image = guest_image

    def __enter__(self) -> "RealPlace":
        """Bring it up and upload the image."""
        made = build(self._guest_image, say)
        try:
            self.process.start()
            FirstVM(self.state).upload(made)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        """Take it down."""
        self.process.stop()
        self.process.sweep()
        shutil.rmtree(self.state, ignore_errors=True)

    def settings(self, file: str) -> dict[str, str]:
        """What one of the clients' files of variables says."""
        return settings(self.state / file)

    @property
    def uri(self) -> str:
        """Where its libvirtd listens."""
        return PrivateLibvirtd(self.state / "host" / "v").uri


def possible() -> bool:
    """Whether this machine can run real guests; says why not."""
    if os.geteuid() != 0 or importlib.util.find_spec("libvirt") is None or shutil.which("virsh") is None:
        say("real guests need root, virsh and libvirt's Python binding")
        return False
    return True


async def share(guest_image: Path, times: int) -> list[Figure]:
    """Boot a few, then let libvirt alone start the last of them again."""
    import libvirt

    with RealPlace(guest_image) as place:
        connection = libvirt.open(place.uri)
        async with Connection("127.0.0.1", place.base) as wire:
            api = await Ec2(place, wire).login(IMAGE)
            boots = []
            for number in range(times + 1):
                taken, domain = await _boot(api, connection)
                say(f"boot {number}: QEMU runs after {1000 * taken:.0f} ms")
                boots.append(taken)
                if number < times:
                    await _end(api, domain)
        # Nobody else may touch the guest now.
        place.process.stop()
        created = [_create(place, domain) for _ in range(times)]
        connection.close()
    return _figures(boots[1:], created)


async def _boot(api: Ec2, connection: Any) -> tuple[float, Any]:
    begun = time.monotonic()
    digits = (await api.launch()).removeprefix("i-")
    while time.monotonic() - begun < SECONDS:
        for domain in connection.listAllDomains():
            if domain.UUIDString().replace("-", "").startswith(digits) and domain.state()[0] == 1:
                return time.monotonic() - begun, domain
        await asyncio.sleep(LOOK)
    raise TimeoutError(f"no QEMU runs for i-{digits}")


async def _end(api: Ec2, domain: Any) -> None:
    id = "i-" + domain.UUIDString().replace("-", "")[:17]
    await api.act("TerminateInstances", **{"InstanceId.1": id})
    begun = time.monotonic()
    while await api.status(id) != "terminated":
        if time.monotonic() - begun > SECONDS:
            raise TimeoutError(f"{id} does not end")
        await asyncio.sleep(0.1)


def _create(place: RealPlace, domain: Any) -> float:
    """Seconds ``virsh create`` takes for the same domain."""
    file = place.state / "domain.xml"
    file.write_text(domain.XMLDesc(2))  # what it would be started with again
    domain.destroy()
    begun = time.monotonic()
    subprocess.run(["virsh", "-q", "-c", place.uri, "create", str(file)], check=True, timeout=SECONDS,
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def _figures(boots: list[float], created: list[float]) -> list[Figure]:
    whole, alone = 1000 * median(boots), 1000 * median(created)
    return [
        Figure(name="real_boot", value=whole, unit="ms",
               meaning=f"from the request to QEMU running, the image in the host's cache; median of {len(boots)}"),
        Figure(name="real_virsh_create", value=alone, unit="ms",
               meaning=f"'virsh create' of the same domain; median of {len(created)}"),
        Figure(name="real_control_plane", value=whole - alone, unit="ms", target=TARGET,
               meaning="the control plane's share of a real boot: the difference of the two"),
    ]
