"""What no worker of ours would ever say is malformed; what they do say is not."""

from typing import Any

import pytest
from attrs import evolve

from stackd import errors
from stackd.model.assignments import FetchRequest, FloatingReport, Hello, InstanceReport, PortReport, Report, Version
from stackd.model.faults import Fault, FaultCode
from stackd.model.hosts import HostCapacity
from stackd.model.instances import GuestState, ObservedInstance
from stackd.model.networks import WiringState
from stackd.rules.plausible import plausible_hello, plausible_report, plausible_request

SEEN = ObservedInstance(state=GuestState.RUNNING, generation=3, at=1.8e9)
FAULT = Fault(code=FaultCode.HYPERVISOR, generation=3, message="no", at=1.8e9)
GUEST = InstanceReport(id="a" * 32, epoch=1, observed=SEEN, fault=FAULT)
PORT = PortReport(id="b" * 32, observed=WiringState.ABSENT, generation=1)
ADDRESS = FloatingReport(id="c" * 32, observed=WiringState.ABSENT, generation=1)
COMPUTE = Report(host="h1", worker="compute", session=1, counter=1, instances=(GUEST,))
NETWORK = Report(host="h1", worker="network", session=1, counter=1, ports=(PORT,), floating_ips=(ADDRESS,))
HELLO = Hello(host="h1", worker="compute", zone="z1", capacity=HostCapacity(vcpus=8, memory_mib=8, disk_gib=8))
REQUEST = FetchRequest(host="h1", worker="compute", session=1, known=Version(incarnation="i", number=4), held=("a",))


def seen(**changes: Any) -> Report:
    return evolve(COMPUTE, instances=(evolve(GUEST, observed=evolve(SEEN, **changes)),))


def faulted(**changes: Any) -> Report:
    return evolve(COMPUTE, instances=(evolve(GUEST, fault=evolve(FAULT, **changes)),))


def test_what_workers_say_is_taken() -> None:
    assert plausible_report(COMPUTE) is COMPUTE and plausible_report(NETWORK) is NETWORK
    assert plausible_hello(HELLO) is HELLO and plausible_request(REQUEST) is REQUEST


@pytest.mark.parametrize("report", [
    evolve(COMPUTE, worker="conductor"), evolve(COMPUTE, worker=""), evolve(COMPUTE, ports=(PORT,)),
    evolve(COMPUTE, floating_ips=(ADDRESS,)), evolve(NETWORK, instances=(GUEST,)), evolve(COMPUTE, session=2**63),
    evolve(COMPUTE, counter=-1), evolve(COMPUTE, instances=(GUEST,) * 20_001), seen(generation=2**31), seen(reboots=-1),
    seen(at=float("nan")), seen(at=float("inf")), seen(at=-1.0),
    evolve(COMPUTE, instances=(evolve(GUEST, epoch=2**40),)),
    evolve(COMPUTE, instances=(evolve(GUEST, id="a" * 300),)), evolve(COMPUTE, instances=(evolve(GUEST, id="a\0"),)),
    faulted(message="x" * 70_000), faulted(detail="\0"), faulted(generation=-1), faulted(at=1e300),
    evolve(NETWORK, ports=(evolve(PORT, generation=2**31),)), evolve(NETWORK, ports=(evolve(PORT, fault=evolve(
        FAULT, message="\0")),)), evolve(NETWORK, floating_ips=(evolve(ADDRESS, generation=-1),))])
def test_no_report(report: Report) -> None:
    with pytest.raises(errors.Malformed, match="No host says this"):
        plausible_report(report)


@pytest.mark.parametrize("hello", [
    evolve(HELLO, worker="api"), evolve(HELLO, zone="z" * 256), evolve(HELLO, zone="\0"), evolve(
        HELLO, tunnel_address="1" * 256), evolve(HELLO, physical_networks=("p\0",)),
    evolve(HELLO, capacity=HostCapacity(vcpus=-1, memory_mib=1, disk_gib=1)),
    evolve(HELLO, capacity=HostCapacity(vcpus=1, memory_mib=10**9, disk_gib=1)),
    evolve(HELLO, capacity=HostCapacity(vcpus=1, memory_mib=1, disk_gib=1, hypervisor_hostname="x" * 300))])
def test_no_hello(hello: Hello) -> None:
    with pytest.raises(errors.Malformed):
        plausible_hello(hello)


@pytest.mark.parametrize("request_", [
    evolve(REQUEST, worker="volume"), evolve(REQUEST, session=-1), evolve(REQUEST, known=Version(number=2**63)),
    evolve(REQUEST, known=Version(incarnation="i" * 300)), evolve(REQUEST, held=("a",) * 20_001),
    evolve(REQUEST, held=("a" * 300,)), evolve(REQUEST, known=Version(within="i" * 300)), evolve(REQUEST, most=0),
    evolve(REQUEST, most=501)])
def test_no_request(request_: FetchRequest) -> None:
    with pytest.raises(errors.Malformed):
        plausible_request(request_)
