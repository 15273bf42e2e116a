"""Preparing a host and taking it away again, in namespaces of the test's own."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from stackd import errors
from stackd.drivers.networks.hostnet import HostNetOptions, prepare, remove
from tests.live.plugging import pings, run


@pytest.fixture
def options() -> Iterator[HostNetOptions]:
    """A host that is not there yet, and its outside."""
    name = f"nt{token_hex(3)}"
    run("", "ip", "netns", "add", f"{name}out")
    made = HostNetOptions(netns=name, outside=f"{name}out")
    try:
        yield made
    finally:
        remove(made)
        run("", "ip", "netns", "del", f"{name}out")


def links(namespace: str) -> set[str]:
    """The names of the links in a namespace."""
    return {link["ifname"] for link in json.loads(run(namespace, "ip", "-j", "link"))}


def test_prepare_and_remove_twice(options: HostNetOptions) -> None:
    """Twice is once, for both; afterwards neither namespace nor device is left."""
    prepare(options)
    prepare(options)
    assert {"stackd-pub", "stackd-up"} <= links(options.netns)
    shown = run(options.outside, "ip", "-o", "-4", "addr", "show", "dev", "stackd-out")
    assert "203.0.113.1/24" in shown and "100.64.0.1/16" in shown
    run(options.netns, "ip", "addr", "add", "203.0.113.9/24", "dev", "stackd-pub")
    assert pings(options.netns, "203.0.113.1"), "the public bridge leads outside"
    remove(options)
    remove(options)
    assert links(options.outside) == {"lo"}
    assert options.netns not in run("", "ip", "netns", "list").split()


def test_half_made_is_completed(options: HostNetOptions) -> None:
    """A missing outside end, or one that came loose, is mended."""
    prepare(options)
    run(options.outside, "ip", "link", "del", "stackd-out")
    prepare(options)
    run(options.netns, "ip", "link", "set", "stackd-up", "nomaster", "down")
    prepare(options)
    run(options.netns, "ip", "addr", "add", "203.0.113.9/24", "dev", "stackd-pub")
    assert pings(options.netns, "203.0.113.1")


def test_foreign_namespace_stays(options: HostNetOptions) -> None:
    """A namespace that was never prepared is not removed, nor a device with our name but not our mark."""
    run("", "ip", "netns", "add", options.netns)
    run(options.outside, "ip", "link", "add", "stackd-out", "type", "bridge")
    remove(options)
    assert options.netns in run("", "ip", "netns", "list").split()
    assert "stackd-out" in links(options.outside)
    run("", "ip", "netns", "del", options.netns)


def test_a_link_that_leads_outside_already(options: HostNetOptions) -> None:
    """It becomes a port of the public bridge, nothing else is made; without the bridge, link and namespace stay."""
    run("", "ip", "netns", "add", options.netns)
    run(options.netns, "ip", "link", "add", "face", "type", "veth", "peer", "name", "far", "netns", options.outside)
    run(options.outside, "ip", "link", "set", "far", "up")
    run(options.outside, "ip", "addr", "add", "203.0.113.1/24", "dev", "far")
    faced = HostNetOptions(netns=options.netns, outside=options.outside, public_link="face")
    prepare(faced)
    prepare(faced)
    assert links(options.outside) == {"lo", "far"}
    run(options.netns, "ip", "addr", "add", "203.0.113.9/24", "dev", "stackd-pub")
    assert pings(options.netns, "203.0.113.1"), "the public bridge leads outside"
    remove(faced)
    assert links(options.netns) == {"lo", "face"}
    run("", "ip", "netns", "del", options.netns)


def test_a_kernel_that_does_not_filter_bridges_is_told(options: HostNetOptions, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is not there and may not be loaded: what ``sysctl`` says of it, and what to do."""
    for name, words in (("modprobe", ""), ("sysctl", "cannot stat /proc/sys/net/bridge/bridge-nf-call-iptables")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(errors.TransientFailure, match="cannot stat") as caught:
        prepare(options)
    assert "modprobe br_netfilter" in caught.value.remedy
