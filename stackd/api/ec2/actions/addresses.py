"""Public addresses: Allocate-, Release-, Associate-, Disassociate- and DescribeAddresses."""

from stackd import errors
from stackd.api.ec2 import filters, lookups
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import networks as views
from stackd.model import kinds
from stackd.model.addresses import FloatingIP
from stackd.model.callers import MEMBER, READER
from stackd.model.ids import ec2_id
from stackd.model.networks import Port

PATHS = {
    "allocation-id": "AllocationId", "association-id": "AssociationId", "domain": "Domain",
    "instance-id": "InstanceId", "network-border-group": "NetworkBorderGroup",
    "network-interface-id": "NetworkInterfaceId", "network-interface-owner-id": "NetworkInterfaceOwnerId",
    "private-ip-address": "PrivateIpAddress", "public-ip": "PublicIp",
}


async def allocate_address(call: Call) -> Values:
    """Take an address for the project."""
    if call.get("Domain", "vpc") != "vpc":
        raise errors.InvalidValue("Domain", "only vpc is supported.")
    lookups.specified_tags(call, "elastic-ip")
    one = await call.core.addresses.allocate(call.caller, address=call.get("Address") or None)
    await lookups.tag_new(call, kinds.FLOATING_IP, one.id)
    return {"PublicIp": one.address, "AllocationId": ec2_id(kinds.FLOATING_IP, one.id), "Domain": "vpc",
            "PublicIpv4Pool": "amazon", "NetworkBorderGroup": call.region}


async def release_address(call: Call) -> Values:
    """Give an address back; one in use must be disassociated first."""
    one = await _named(call)
    if one.port_id:
        raise errors.InUse(kinds.FLOATING_IP, one.address, "an instance", remedy="Disassociate it first.")
    await call.core.addresses.release(call.caller, one.id)
    await call.core.tags.remove(call.caller, [one.id], None)
    return {}


async def associate_address(call: Call) -> Values:
    """Lead an address to an instance or a network interface."""
    one = await _named(call)
    port_id, fixed_ip = await _target(call)
    made = await call.core.addresses.associate(call.caller, one.id, port_id, fixed_ip=fixed_ip,
                                                allow_reassociation=call.get("AllowReassociation", True), displace=True)
    return {"AssociationId": views.association_id(made)}


async def disassociate_address(call: Call) -> Values:
    """Lead an address nowhere; one that leads nowhere is no error."""
    wanted = call.get("AssociationId")
    if wanted:
        found = [one for one in await call.core.addresses.list(call.caller)
                 if views.association_id(one) == wanted and one.port_id]
        if not found:
            raise errors.NotFound("association", wanted)
        one = found[0]
    else:
        one = await _named(call)
    await call.core.addresses.disassociate(call.caller, one.id)
    return {}


async def describe_addresses(call: Call) -> Values:
    """The project's addresses."""
    addresses, tags = await call.core.addresses.list(call.caller), await lookups.tags(call, kinds.FLOATING_IP)
    used = tuple(one.port_id for one in addresses if one.port_id)
    ports = {port.id: port for port in await call.core.ports.list(call.caller, ids=used)} if used else {}
    shown = [views.address(one, ports.get(one.port_id), call.caller.account, call.region, tags.get(one.id, []))
             for one in addresses]
    publics, wanted = call.items("PublicIps"), call.items("AllocationIds")
    lookups.demand_known(kinds.FLOATING_IP, wanted, (view["AllocationId"] for view in shown))
    missing = [address for address in publics if address not in {view["PublicIp"] for view in shown}]
    if missing:
        raise errors.NotFound(kinds.FLOATING_IP, ", ".join(missing))
    chosen = [view for view in shown
              if not (publics or wanted) or view["PublicIp"] in publics or view["AllocationId"] in wanted]
    return {"Addresses": filters.keep(call.items("Filters"), chosen, PATHS)}


async def _named(call: Call) -> FloatingIP:
    """The one address AllocationId or PublicIp means."""
    wanted, public = call.get("AllocationId"), call.get("PublicIp")
    if not wanted and not public:
        raise errors.MissingValue("the parameter AllocationId or PublicIp")
    own = await call.core.addresses.list(call.caller)
    if wanted:
        lookups.demand_known(kinds.FLOATING_IP, [wanted], (ec2_id(kinds.FLOATING_IP, one.id) for one in own))
    for one in own:
        if one.address == public or ec2_id(kinds.FLOATING_IP, one.id) == wanted:
            return one
    raise errors.NotFound(kinds.FLOATING_IP, public)


async def _target(call: Call) -> tuple[str, str | None]:
    """The port and the fixed address (None: its first) an address is to lead to."""
    instance, interface = call.get("InstanceId"), call.get("NetworkInterfaceId")
    if interface:
        return await call.core.shortids.one(call.caller, kinds.PORT, interface), call.get("PrivateIpAddress")
    if not instance:
        raise errors.MissingValue("the parameter InstanceId or NetworkInterfaceId")
    id = await call.core.shortids.one(call.caller, kinds.INSTANCE, instance)
    ports = (await call.core.instances.get(call.caller, id)).ports
    return _chosen(ports, call.get("PrivateIpAddress"), instance).id, call.get("PrivateIpAddress")


def _chosen(ports: tuple[Port, ...], fixed_ip: str | None, instance: str) -> Port:
    for port in ports:
        if fixed_ip is None or any(fixed.address == fixed_ip for fixed in port.fixed_ips):
            return port
    if fixed_ip is not None and ports:
        raise errors.InvalidValue("PrivateIpAddress", f"{fixed_ip} is not an address of {instance}.")
    raise errors.Conflict(f"The instance {instance} has no network interface.",
                          remedy="Launch an instance with one.")


ACTIONS = {
    "AllocateAddress": Action(run=allocate_address, role=MEMBER, words="allocate addresses",
                              takes={"Domain", "Address", "TagSpecifications"},
                              harmless={"PublicIpv4Pool", "NetworkBorderGroup"}),
    "ReleaseAddress": Action(run=release_address, role=MEMBER, words="release addresses",
                             takes={"AllocationId", "PublicIp"}, harmless={"NetworkBorderGroup"}),
    "AssociateAddress": Action(run=associate_address, role=MEMBER, words="associate addresses",
                               takes={"AllocationId", "PublicIp", "InstanceId", "NetworkInterfaceId",
                                      "PrivateIpAddress", "AllowReassociation"}),
    "DisassociateAddress": Action(run=disassociate_address, role=MEMBER, words="disassociate addresses",
                                  takes={"AssociationId", "PublicIp"}),
    "DescribeAddresses": Action(run=describe_addresses, role=READER, words="list addresses",
                                takes={"PublicIps", "AllocationIds", "Filters"}),
}
