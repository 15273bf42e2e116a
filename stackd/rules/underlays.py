"""What networks stand on: which type a network gets, on which physical network, and how large its packets are. Pure.

``core.networks`` asks with what an administrator wants, and new projects' default networks are sized by it.
"""

from attrs import frozen

from stackd import errors
from stackd.model.network_requests import NewNetwork
from stackd.model.networks import VLAN_IDS, NetworkType, Underlay

TUNNEL_HEADERS = 50
"""Bytes VXLAN over IPv4 adds to each packet."""
SEGMENTS = range(1, 2**24)


@frozen(kw_only=True)
class Ground:
    """What a new network stands on; ``segment`` None means that a free one is to be taken out of ``free``."""

    type: NetworkType = NetworkType.VXLAN
    physical_network: str = ""
    segment: int | None = None
    free: tuple[int, int] = (0, 0)


def mtu_of(type: NetworkType, underlay: Underlay) -> int:
    """The largest packets of a network when nobody says otherwise."""
    return underlay.mtu - TUNNEL_HEADERS if type is NetworkType.VXLAN else underlay.mtu


def ground_of(request: NewNetwork, underlay: Underlay) -> Ground:
    """What an administrator's request asks for; raises ``InvalidValue``, ``MissingValue``, ``ConflictingValues``."""
    if request.external and (request.type or request.physical_network or request.segment is not None):
        raise errors.ConflictingValues("External networks are routed by the hosts, they have no provider attributes.",
                                       remedy="Leave out router:external, or the provider attributes.")
    type = request.type or NetworkType.VXLAN
    if type is NetworkType.VXLAN:
        if request.physical_network:
            raise errors.InvalidValue("provider:physical_network", "a VXLAN network is on none.")
        _demand_within("provider:segmentation_id", request.segment, SEGMENTS)
        return Ground(segment=request.segment)
    name = request.physical_network or ""
    if not name:
        raise errors.MissingValue("provider:physical_network")
    if name not in underlay.vlans:
        raise errors.InvalidValue("provider:physical_network", f"{name!r} is not configured.",
                                  remedy="Name it in vlan_ranges of the section network.")
    if type is NetworkType.FLAT:
        if request.segment is not None:
            raise errors.InvalidValue("provider:segmentation_id", "a flat network has none.")
        return Ground(type=type, physical_network=name, segment=0)
    _demand_within("provider:segmentation_id", request.segment, VLAN_IDS)
    if request.segment is None and underlay.vlans[name] == (0, 0):
        raise errors.MissingValue("provider:segmentation_id")
    return Ground(type=type, physical_network=name, segment=request.segment, free=underlay.vlans[name])


def _demand_within(field: str, value: int | None, allowed: range) -> None:
    if value is not None and value not in allowed:
        raise errors.InvalidValue(field, f"{value} is not between {allowed[0]} and {allowed[-1]}.")
