"""Keeps one dnsmasq in each router namespace that needs it: started, told of changes, found again, stopped.

The processes are daemons of their own and outlive the worker; they are found again by process id file and
command line. Blocking.
"""

import os
import select
import signal
from collections.abc import Iterable
from pathlib import Path

from stackd.drivers.networks.files import read_text, write_whole
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.dhcpconf import DhcpFiles, kept_leases, render_conf, render_hosts, served
from stackd.drivers.networks.namespaces import namespace_identity, namespace_of
from stackd.model.wirings import NetworkWiring, PortWiring

STOP_SECONDS = 3


class Dnsmasq:
    """The DHCP servers of a host."""

    def __init__(self, commands: Commands, dns: tuple[str, ...]) -> None:
        """``dns`` are the resolvers of subnets that name none."""
        self._commands = commands
        self._dns = dns

    def ensure(self, network: NetworkWiring, ports: Iterable[PortWiring], namespace: str, files: DhcpFiles) -> None:
        """Let a server run with these reservations; restarted only when it has to unlearn something.

        It is stopped before its configuration changes, and always told to read the hosts again: a file that is as
        it should be does not tell that the server has read it.
        """
        ports = tuple(ports)
        if not served(network):
            self.stop(files)
            return
        conf = render_conf(network, files, self._dns)
        leases = read_text(files.leases)
        kept = kept_leases(leases, ports)
        if conf != read_text(files.conf) or kept != leases or not self.serves(files, namespace):
            self.stop(files)
            write_whole(files.leases, kept)
        write_whole(files.conf, conf)
        write_whole(files.hosts, render_hosts(ports))
        pid = self.running(files)
        if pid is None:
            self._commands.within(namespace, "dnsmasq", f"--conf-file={files.conf}")
        else:
            _signal(pid, signal.SIGHUP)

    def running(self, files: DhcpFiles) -> int | None:
        """The process id of the network's server when it is alive and really ours."""
        text = read_text(files.pid).strip()
        if not text.isdigit():
            return None
        try:
            argv = Path(f"/proc/{text}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return int(text) if f"--conf-file={files.conf}".encode() in argv else None

    def serves(self, files: DhcpFiles, namespace: str) -> bool:
        """Whether the server is alive, and in the namespace that has the name now, not an earlier one."""
        pid = self.running(files)
        return pid is not None and namespace_of(pid) == namespace_identity(namespace)

    def stop(self, files: DhcpFiles) -> None:
        """End the server, if it runs, and wait until it has ended."""
        pid = self.running(files)
        if pid is not None:
            end_process(pid)
        files.pid.unlink(missing_ok=True)

    def stop_all_in(self, namespace: str) -> None:
        """End every dnsmasq in a router namespace, also when its files are lost."""
        for text in self._commands.answer("", "ip", "netns", "pids", namespace).split():
            if read_text(Path(f"/proc/{text}/comm")).strip() == "dnsmasq":
                end_process(int(text))


def end_process(pid: int) -> None:
    """Ask a process to end, and kill it when it has not after a while."""
    try:
        watch = os.pidfd_open(pid)
    except OSError:
        return
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(pid, number)
            if poll.poll(STOP_SECONDS * 1000):
                return
    finally:
        os.close(watch)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
