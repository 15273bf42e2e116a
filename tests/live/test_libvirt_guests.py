"""Real guests: they boot to their last word, hear the power button, and outlive libvirtd and the driver."""

import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from stackd.drivers.hypervisors.kvmprobe import boots
from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.errors import ImageVanished, PermanentFailure, TransientFailure
from stackd.model.guests import GuestNic
from stackd.model.instances import GuestState
from stackd.testing.contracts.hypervisor import running, spec_of
from tests.live.libvirt_fixtures import CACHE, LibvirtBench, bench, guest_image, libvirtd

__all__ = ["bench", "guest_image", "libvirtd"]

BOOT_SECONDS = 120.0


async def until(question: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """The first true answer; fails when there is none in time."""
    deadline = reactor.seconds() + seconds  # type: ignore[attr-defined]
    while not (answer := await question()):
        assert reactor.seconds() < deadline, "it did not happen in time"  # type: ignore[attr-defined]
        await deferLater(reactor, 0.2)  # type: ignore[arg-type]
    return answer


async def said(driver: Any, id: str, words: bytes) -> bytes:
    """The console once it holds these words."""
    async def heard() -> bytes:
        text: bytes = await driver.console_output(id, 65536)
        return text if words in text else b""
    return bytes(await until(heard, BOOT_SECONDS))


@pytest_twisted.ensureDeferred
async def test_a_guest_boots_survives_libvirtd_and_driver_and_shuts_down_when_asked(bench: LibvirtBench) -> None:
    driver = bench.driver()
    spec = await running(bench, driver, disk_gib=1, epoch=4)
    text = await said(driver, spec.id, b"tiny: ready")
    assert text.index(b"tiny: init") < text.index(b"tiny: hostkey ssh-ed25519")

    bench.libvirtd.stop()
    bench.libvirtd.start()
    seen = await driver.look(spec.id)
    assert (seen.state, seen.epoch) == (GuestState.RUNNING, 4), "the old driver connects again by itself"

    again = bench.driver()
    await again.shutdown(spec.id, 5.0, 2)

    async def stopped() -> bool:
        return (await again.look(spec.id)).state is GuestState.STOPPED
    await until(stopped, 60)
    assert (await again.look(spec.id)).shutdown_at == 5.0
    assert b"tiny: power button" in await again.console_output(spec.id, 4096)


@pytest_twisted.ensureDeferred
async def test_a_whole_disk_boots_by_its_own_boot_loader(bench: LibvirtBench) -> None:
    driver = bench.driver()
    spec = evolve(spec_of(bench), image=bench.whole_disk(), disk_gib=1)
    await driver.prepare(spec)
    await driver.start(spec)
    assert b"tiny: init" in await said(driver, spec.id, b"tiny: init")


@pytest_twisted.ensureDeferred
async def test_a_guest_whose_qemu_was_killed_has_crashed_and_can_be_started_again(bench: LibvirtBench) -> None:
    driver = bench.driver()
    spec = await running(bench, driver)
    pid = next(int(path.name) for path in Path("/proc").iterdir()
               if path.name.isdigit() and spec.id.encode() in _command(path))
    os.kill(pid, signal.SIGKILL)

    async def crashed() -> bool:
        return (await driver.look(spec.id)).state is GuestState.CRASHED
    await until(crashed, 20)
    await driver.destroy(spec.id)
    assert (await driver.look(spec.id)).state is GuestState.STOPPED
    await driver.start(spec)
    assert (await driver.look(spec.id)).state is GuestState.RUNNING


@pytest_twisted.ensureDeferred
async def test_a_missing_bridge_is_a_passing_trouble(bench: LibvirtBench) -> None:
    nic = GuestNic(port_id="0" * 32, mac="02:00:00:00:00:01", tap="tapnowhere", bridge="sbrnowhere", mtu=1450)
    driver = bench.driver()
    with pytest.raises(TransientFailure, match="sbrnowhere"):
        await running(bench, driver, nics=(nic,))


@pytest_twisted.ensureDeferred
async def test_a_start_that_does_not_succeed_leaves_marked_that_it_was_us_who_stopped_the_guest(
        bench: LibvirtBench) -> None:
    driver = bench.driver()
    spec = await running(bench, driver)
    await driver.destroy(spec.id)
    asked = (await driver.look(spec.id)).shutdown_at
    nic = GuestNic(port_id="0" * 32, mac="02:00:00:00:00:01", tap="tapnowhere", bridge="sbrnowhere", mtu=1450)
    with pytest.raises(TransientFailure, match="sbrnowhere"):
        await driver.start(evolve(spec, nics=(nic,)))
    guest = await bench.driver().look(spec.id)
    assert (guest.state, guest.shutdown_at) == (GuestState.STOPPED, asked)
    await driver.start(spec)
    guest = await bench.driver().look(spec.id)
    assert (guest.state, guest.shutdown_at) == (GuestState.RUNNING, None)


@pytest_twisted.ensureDeferred
async def test_without_libvirtd_verbs_fail_for_now_and_work_again_later(bench: LibvirtBench) -> None:
    driver = bench.driver()
    spec = spec_of(bench)
    await driver.prepare(spec)
    bench.libvirtd.stop()
    try:
        with pytest.raises(TransientFailure):
            await driver.look(spec.id)
    finally:
        bench.libvirtd.start()
    assert (await driver.look(spec.id)).prepared


@pytest_twisted.ensureDeferred
async def test_an_image_larger_than_the_flavor_is_refused_with_both_sizes(bench: LibvirtBench) -> None:
    large = bench.images.hold(_qcow2_header(5 * 1024 ** 3), "qcow2")
    spec = spec_of(bench, disk_gib=2)
    spec = evolve(spec, image=evolve(spec.image, disk=large))
    with pytest.raises(PermanentFailure, match="5 GiB.*2 GiB"):
        await bench.driver().prepare(spec)


@pytest_twisted.ensureDeferred
async def test_a_vanished_kernel_is_a_vanished_image(bench: LibvirtBench) -> None:
    spec = spec_of(bench)
    assert spec.image.kernel is not None
    bench.images.drop(spec.image.kernel.id)
    with pytest.raises(ImageVanished):
        await bench.driver().prepare(spec)
    assert not (await bench.driver().look(spec.id)).prepared


def test_a_libvirtd_is_adopted_and_forgets_processes_of_before_the_machine_started() -> None:
    with tempfile.TemporaryDirectory(prefix="sv") as folder:
        libvirtd = PrivateLibvirtd(Path(folder) / "h", cache=CACHE / "capabilities")
        try:
            libvirtd.start()
            pid = (Path(folder) / "h/libvirtd.pid").read_text()
            PrivateLibvirtd(Path(folder) / "h", cache=CACHE / "capabilities").start()
            assert (Path(folder) / "h/libvirtd.pid").read_text() == pid
            libvirtd.stop()
            assert not libvirtd.running()
            stale = Path(folder) / "h/run/stackd-old.pid"
            stale.write_text(str(os.getpid()))
            libvirtd.start()
            assert stale.exists(), "the same boot: its guests may live"
            libvirtd.stop()
            (Path(folder) / "h/boot-id").write_text("an earlier one")
            libvirtd.start()
            assert not stale.exists()
        finally:
            libvirtd.wipe()
        assert not (Path(folder) / "h").exists()


def test_the_probe_of_kvm_is_a_program_that_really_runs() -> None:
    assert boots("tcg", 30)
    assert not boots("no-such-accelerator")


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _qcow2_header(size: int) -> bytes:
    head = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(12) + (16).to_bytes(4, "big") + size.to_bytes(8, "big")
    return (head + bytes(512)).ljust(65536, b"\0")
