"""A private libvirtd before it is started: its address, and folders that cannot do."""

import os
import tempfile
from pathlib import Path

import pytest

from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.errors import BadConfiguration


def test_its_address_is_a_socket_in_its_folder() -> None:
    assert PrivateLibvirtd(Path("/s/h")).uri == "qemu+unix:///system?socket=/s/h/sock/libvirt-sock"


def test_a_folder_too_deep_for_a_socket_is_refused_at_once() -> None:
    with pytest.raises(BadConfiguration, match="too deep"):
        PrivateLibvirtd(Path("/" + "deep/" * 20))


def test_a_pid_file_of_another_process_is_not_ours_and_is_left_alone() -> None:
    with tempfile.TemporaryDirectory(prefix="sv") as folder:
        (Path(folder) / "libvirtd.pid").write_text(str(os.getpid()))
        libvirtd = PrivateLibvirtd(Path(folder))
        assert not libvirtd.running()
        libvirtd.stop()
        assert not (Path(folder) / "libvirtd.pid").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_without_root_the_cure_is_named() -> None:
    with pytest.raises(BadConfiguration, match="apt-get install"):
        PrivateLibvirtd(Path("/s/h")).start()
