"""Reading instances: DescribeInstances, DescribeInstanceStatus, GetConsoleOutput."""

import base64
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stackd.api.ec2 import filters, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import instances as views
from stackd.api.ec2.views import states
from stackd.core.shortids import ENDED_SHOWN
from stackd.model import ids, kinds
from stackd.model.callers import MEMBER, READER
from stackd.model.instances import InstanceQuery, InstanceView
from stackd.model.paging import PageRequest

MAX_LOOKS = 20
"""Pages of the database read for one answer; a filter that keeps little gets a short page and a token, as in AWS."""

PATHS = {
    "affinity": "Placement.Affinity", "architecture": "Architecture",
    "availability-zone": "Placement.AvailabilityZone",
    "block-device-mapping.device-name": "BlockDeviceMappings.DeviceName",
    "block-device-mapping.volume-id": "BlockDeviceMappings.Ebs.VolumeId", "client-token": "ClientToken",
    "dns-name": "PublicDnsName", "hypervisor": "Hypervisor", "image-id": "ImageId", "instance-id": "InstanceId",
    "instance-lifecycle": "InstanceLifecycle", "instance-state-code": "State.Code",
    "instance-state-name": "State.Name", "instance-type": "InstanceType",
    "instance.group-id": "SecurityGroups.GroupId", "instance.group-name": "SecurityGroups.GroupName",
    "group-id": "SecurityGroups.GroupId", "group-name": "SecurityGroups.GroupName",
    "ip-address": "PublicIpAddress", "ipv6-address": "Ipv6Address", "kernel-id": "KernelId", "key-name": "KeyName",
    "launch-index": "AmiLaunchIndex", "launch-time": "LaunchTime", "monitoring-state": "Monitoring.State",
    "network-interface.addresses.association.public-ip": "NetworkInterfaces.PrivateIpAddresses.Association.PublicIp",
    "network-interface.addresses.private-ip-address": "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
    "network-interface.association.public-ip": "NetworkInterfaces.Association.PublicIp",
    "network-interface.attachment.status": "NetworkInterfaces.Attachment.Status",
    "network-interface.group-id": "NetworkInterfaces.Groups.GroupId",
    "network-interface.group-name": "NetworkInterfaces.Groups.GroupName",
    "network-interface.mac-address": "NetworkInterfaces.MacAddress",
    "network-interface.network-interface-id": "NetworkInterfaces.NetworkInterfaceId",
    "network-interface.private-ip-address": "NetworkInterfaces.PrivateIpAddress",
    "network-interface.subnet-id": "NetworkInterfaces.SubnetId", "network-interface.vpc-id": "NetworkInterfaces.VpcId",
    "owner-id": "OwnerId", "private-dns-name": "PrivateDnsName", "private-ip-address": "PrivateIpAddress",
    "ramdisk-id": "RamdiskId", "reason": "StateTransitionReason", "reservation-id": "ReservationId",
    "root-device-name": "RootDeviceName", "root-device-type": "RootDeviceType",
    "source-dest-check": "SourceDestCheck", "state-reason-code": "StateReason.Code",
    "state-reason-message": "StateReason.Message", "subnet-id": "SubnetId", "tenancy": "Placement.Tenancy",
    "virtualization-type": "VirtualizationType", "vpc-id": "VpcId",
}
STATUS_PATHS = {
    "availability-zone": "AvailabilityZone", "instance-state-code": "InstanceState.Code",
    "instance-state-name": "InstanceState.Name", "instance-status.status": "InstanceStatus.Status",
    "instance-status.reachability": "InstanceStatus.Details.Status", "system-status.status": "SystemStatus.Status",
    "system-status.reachability": "SystemStatus.Details.Status", "event.code": "Events.Code",
}
Seen = tuple[InstanceView, dict[str, Any]]


async def describe_instances(call: Call) -> Values:
    """The project's instances in their reservations, also those that ended within the hour."""
    account, region = call.caller.account, call.region
    seen, token = await matching(call, PATHS, lambda view: views.instance(view, account, region))
    pairs = ((view.instance.reservation_id, shown) for view, shown in seen)
    return {"Reservations": views.reservations(pairs, account), "NextToken": token}


async def describe_instance_status(call: Call) -> Values:
    """The status of the instances that run, or of all."""
    everything = call.get("IncludeAllInstances", False)
    lost = await call.core.hosts.lost(call.caller)
    seen, token = await matching(call, STATUS_PATHS, lambda view: views.status(view, lost),
                                 lambda view: everything or states.is_up(view.instance))
    return {"InstanceStatuses": [shown for _, shown in seen], "NextToken": token}


async def matching(call: Call, paths: filters.Paths, show: Callable[[InstanceView], dict[str, Any]],
                   counts: Callable[[InstanceView], bool] = lambda view: True) -> tuple[list[Seen], str | None]:
    """One page of the instances that ``counts`` and that pass the call's filters, each with what is shown of it."""
    size, marker = paging.limit(call, "InstanceIds"), paging.marker(call)
    accept = filters.compiled(call.items("Filters"), paths)
    query = await _query(call)
    at_once = paging.HIGHEST if call.get("Filters") else size
    found: list[Seen] = []
    for _ in range(MAX_LOOKS):
        page = await call.core.instances.list(call.caller, query, PageRequest(marker=marker, limit=at_once))
        for view, shown in _accepted(page, show, counts, accept, call.caller.account):
            if len(found) == size:
                return found, paging.token(call, found[-1][0].instance.id)
            found.append((view, shown))
        if not page.more:
            return found, None
        if len(found) == size:
            break
        marker = page.items[-1].instance.id
    last = found[-1][0] if len(found) == size else page.items[-1]
    return found, paging.token(call, last.instance.id)


def _accepted(page: Iterable[InstanceView], show: Callable[[InstanceView], dict[str, Any]],
              counts: Callable[[InstanceView], bool], accept: filters.Match, owner: str) -> Iterator[Seen]:
    for view in page:
        if counts(view):
            shown = show(view)
            # What belongs to the reservation can be asked for too.
            if accept(ChainMap(shown, _of_reservation(view, owner))):
                yield view, shown


def _of_reservation(view: InstanceView, owner: str) -> dict[str, str]:
    return {"ReservationId": ids.ec2_id(kinds.RESERVATION, view.instance.reservation_id), "OwnerId": owner}


async def _query(call: Call) -> InstanceQuery:
    """What the database can already leave out: by id, and by what a filter of states rules out."""
    wanted = call.items("InstanceIds")
    found = await call.core.shortids.resolve(call.caller, kinds.INSTANCE, wanted) if wanted else None
    asked = [pattern for entry in call.items("Filters") if entry.get("Name") == "instance-state-name"
             for pattern in map(filters.pattern, entry.get("Values") or ())]
    chosen = [(steady, state) for (steady, _), state in states.STATES.items()
              if not asked or any(pattern.fullmatch(state[1]) for pattern in asked)]
    ended = any(state == states.TERMINATED for _, state in chosen)
    return InstanceQuery(ids=tuple(found.values()) if found is not None else None,
                         steady=tuple({steady.value: None for steady, _ in chosen}) if asked else None,
                         ended_since=call.now - ENDED_SHOWN if ended else None)


async def get_console_output(call: Call) -> Values:
    """The end of the serial console, in base64."""
    id = await call.core.shortids.one(call.caller, kinds.INSTANCE, call.get("InstanceId"))
    output = await call.core.instances.console_output(call.caller, id)
    return {"InstanceId": call.get("InstanceId"), "Timestamp": call.now, "Output": base64.b64encode(output).decode()}


_LIST = ("InstanceIds", "Filters", "MaxResults", "NextToken")
ACTIONS = {
    "DescribeInstances": Action(run=describe_instances, role=READER, words="list instances", takes=_LIST,
                                harmless={"IncludeManagedResources"}),
    "DescribeInstanceStatus": Action(run=describe_instance_status, role=READER, words="list instances",
                                     takes=(*_LIST, "IncludeAllInstances"), harmless={"IncludeManagedResources"}),
    "GetConsoleOutput": Action(run=get_console_output, role=MEMBER, words="read consoles", takes={"InstanceId"},
                               harmless={"Latest"}),
}
