"""Runs ``ip``, ``nft`` and the like in the namespaces of a host: argument lists, deadlines, typed errors.

Blocking; the driver calls it in its thread. Failures are transient: what cannot work for good was refused before.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from stackd.errors import TransientFailure

TIMEOUT = 20.0
NETNS = "/run/netns"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Commands:
    """The outside commands, in the host's namespace or in another by name."""

    def __init__(self, netns: str, run: Run = subprocess.run) -> None:
        """``netns`` is the host's namespace, empty for the present one."""
        self.netns = netns
        self._run = run

    def host(self, *argv: str, feed: str = "") -> str:
        """Run in the host's namespace; what it printed. Raises ``TransientFailure``."""
        return self.within(self.netns, *argv, feed=feed)

    def within(self, namespace: str, *argv: str, feed: str = "") -> str:
        """Run in a namespace by name; ``feed`` goes to its standard input. Raises ``TransientFailure``."""
        ended = self._ended(namespace, argv, feed)
        if ended.returncode != 0:
            raise TransientFailure(f"'{' '.join(argv)}' failed: {ended.stderr.strip()[:2000]}")
        return ended.stdout

    def answer(self, namespace: str, *argv: str) -> str:
        """What a question printed; empty when it failed, because what it asks for is not there."""
        ended = self._ended(namespace, argv, "")
        return ended.stdout if ended.returncode == 0 else ""

    def links(self, namespace: str) -> dict[str, dict[str, Any]]:
        """The links of a namespace by name."""
        return {link["ifname"]: link for link in json.loads(self.within(namespace, "ip", "-j", "link", "show"))}

    def batch(self, namespace: str, lines: Sequence[str]) -> None:
        """Run lines of ``ip -batch``, if any; stops at the first that fails."""
        if lines:
            self.within(namespace, "ip", "-batch", "-", feed="\n".join(lines) + "\n")

    def namespaces(self) -> frozenset[str]:
        """The names of all namespaces of the machine."""
        printed = self.within("", "ip", "-j", "netns", "list")
        return frozenset(each["name"] for each in json.loads(printed)) if printed.strip() else frozenset()

    def _ended(self, namespace: str, argv: tuple[str, ...], feed: str) -> "subprocess.CompletedProcess[str]":
        prefix = ("nsenter", f"--net={NETNS}/{namespace}", "--") if namespace else ()
        try:
            return self._run([*prefix, *argv], input=feed, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise TransientFailure(f"'{' '.join(argv)}' did not end within {TIMEOUT:.0f} s.") from None
        except OSError as error:
            raise TransientFailure(f"'{argv[0]}' cannot be run: {error}.",
                                   remedy="Install iproute2, nftables, util-linux and dnsmasq-base.") from None
