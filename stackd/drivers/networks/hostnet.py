"""Makes a host ready for the Linux bridge driver, and takes that away again: its namespace and its public bridge.

On one machine that plays host and outside at once, the host is a namespace of its own and a veth pair leads from its
public bridge to the machine, which holds the gateway addresses. ``make cloud``, ``make down`` and live tests call it.
Blocking. Doing it twice is harmless; only what carries :data:`ALIAS` is removed.
"""

import json
import os

from attrs import frozen

from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.errors import TransientFailure

ALIAS = "stackd public"


@frozen(kw_only=True)
class HostNetOptions:
    """``netns`` is the namespace that is the host, made when missing; empty is the present one.

    ``outside`` is the namespace of the outside end, empty for the present one; ``outside_link`` and ``uplink`` are the
    two ends of the veth pair there and on the public bridge. ``gateways`` are the outside's addresses with their
    prefix lengths: of the floating range and of the routers' own (``snat_range``). When the host is the present
    namespace there is no pair, and the public bridge itself holds them.

    ``public_link`` is an interface of the host that faces the outside already: it becomes a port of the public bridge,
    and there is neither a pair nor a gateway of ours.
    """

    netns: str = ""
    public_bridge: str = "stackd-pub"
    outside: str = ""
    outside_link: str = "stackd-out"
    uplink: str = "stackd-up"
    gateways: tuple[str, ...] = ("203.0.113.1/24", "100.64.0.1/16")
    public_link: str = ""


def prepare(options: HostNetOptions) -> None:
    """Let the host's namespace, public bridge and way outside be there. Raises ``TransientFailure``."""
    commands = Commands(options.netns)
    if options.netns and options.netns not in commands.namespaces():
        commands.within("", "ip", "netns", "add", options.netns)
    if options.netns:
        commands.host("ip", "link", "set", "lo", "up")
    links = commands.links(options.netns)
    bridge = options.public_bridge
    lines = [] if bridge in links else [f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"]
    commands.batch(options.netns, [*lines, f'link set {bridge} alias "{ALIAS}" addrgenmode none up'])
    if options.public_link:
        commands.batch(options.netns, [f"link set {options.public_link} master {bridge} up"])
    else:
        if options.netns:
            _join_outside(commands, options, options.uplink in links)
        _address(commands, options)
    _filter_bridged(commands)


def remove(options: HostNetOptions) -> None:
    """Take all of it away; none of it needs to be there. The driver's own things are ``clean``'s to remove."""
    commands = Commands(options.netns)
    if options.netns and options.netns not in commands.namespaces():
        _delete_marked(commands, options.outside, options.outside_link)
        return
    ours = _delete_marked(commands, options.netns, options.public_bridge)
    if options.netns and not options.public_link:
        _delete_marked(commands, options.outside, options.outside_link)
        if ours:
            commands.within("", "ip", "netns", "del", options.netns)


def _filter_bridged(commands: Commands) -> None:
    # Where bridge filtering is a module it is not there before somebody asks; where it is built in this is idle. A
    # daemon under its unit may load none: there the unit has asked.
    commands.answer(commands.netns, "modprobe", "-q", "br_netfilter")
    try:
        commands.host("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1", "net.bridge.bridge-nf-call-ip6tables=1")
    except TransientFailure as failure:
        raise TransientFailure(failure.message, remedy="Run 'modprobe br_netfilter' as root.") from failure


def _join_outside(commands: Commands, options: HostNetOptions, joined: bool) -> None:
    if not joined:
        _delete_marked(commands, options.outside, options.outside_link)
        # The pair begins on the host and one end moves, so both ends are named in one step.
        target = options.outside or str(os.getpid())
        commands.batch(options.netns,
                       [f"link add {options.uplink} type veth peer name {options.outside_link} netns {target}"])
    commands.batch(options.netns, [f"link set {options.uplink} addrgenmode none master {options.public_bridge} up"])
    commands.batch(options.outside, [f'link set {options.outside_link} alias "{ALIAS}" up'])


def _address(commands: Commands, options: HostNetOptions) -> None:
    namespace, device = (options.outside, options.outside_link) if options.netns else ("", options.public_bridge)
    shown = json.loads(commands.within(namespace, "ip", "-j", "addr", "show", "dev", device))
    held = {f"{address['local']}/{address['prefixlen']}" for link in shown for address in link.get("addr_info", ())}
    commands.batch(namespace, [f"addr add {gateway} dev {device}" for gateway in options.gateways
                               if gateway not in held])


def _delete_marked(commands: Commands, namespace: str, name: str) -> bool:
    """Delete a link when it carries our alias; whether it did."""
    if namespace and namespace not in commands.namespaces():
        return False
    link = commands.links(namespace).get(name)
    if link is None or link.get("ifalias") != ALIAS:
        return False
    commands.within(namespace, "ip", "link", "del", name)
    return True
