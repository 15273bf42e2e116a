"""What the compute worker cannot do: tried again in passing, a fault for good, and over when it is reached."""

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from stackd import errors
from stackd.model.faults import Fault, FaultCode
from stackd.model.guests import Guest, GuestSpec
from stackd.model.instances import GuestState, ObservedInstance
from tests.workers.computebench import DELETED, RUNNING, STOPPED, A, Bench, bench

__all__ = ["bench"]


def test_what_fails_in_passing_is_tried_again(bench: Bench) -> None:
    bench.driver.refusals["prepare"] = [errors.TransientFailure("Busy.")] * 3
    bench.launch()
    bench.run(30)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.cloud.instance(A).fault is None


@pytest.mark.parametrize(("verb", "failure", "code"), [
    ("prepare", errors.ImageVanished("The bytes are gone."), FaultCode.IMAGE),
    ("prepare", errors.PermanentFailure("It refers to other files."), FaultCode.IMAGE),
    ("start", errors.PermanentFailure("No such machine type."), FaultCode.HYPERVISOR)])
def test_what_fails_for_good_is_a_fault_once(bench: Bench, verb: str, failure: Any, code: FaultCode) -> None:
    bench.driver.refusals[verb] = [failure] * 9
    bench.launch()
    bench.run(200)
    fault = bench.cloud.instance(A).fault
    assert fault is not None
    assert (fault.code, fault.generation) == (code, 1)
    assert failure.message in fault.message
    assert bench.driver.verbs.count(verb) == 1
    bench.driver.refusals.clear()
    bench.change()
    assert bench.seen() == (GuestState.RUNNING, True)


def test_what_fails_when_something_else_is_desired_already_is_no_fault(bench: Bench) -> None:
    bench.launch()
    bench.change(desired=STOPPED)
    refused: Deferred[None] = Deferred()
    look = bench.driver.look

    async def start(spec: GuestSpec) -> None:
        await refused

    bench.driver.start = start  # type: ignore[attr-defined]
    bench.change(desired=RUNNING)
    bench.change(desired=STOPPED)

    async def slow(id: str) -> Guest:
        await deferLater(bench.clock, 2.0)
        return await look(id)

    bench.driver.look = slow  # type: ignore[attr-defined]
    refused.errback(errors.PermanentFailure("No such machine type."))
    bench.run(30)
    assert [one.fault for one in bench.reported()] == [None] * 3
    assert bench.seen() == (GuestState.STOPPED, True)


def test_a_fault_stands_through_a_new_worker_and_is_over_when_the_guest_is_as_desired(bench: Bench) -> None:
    bench.launch()
    bench.driver.refusals["start"] = [errors.PermanentFailure("No such machine type.")]
    bench.world.stop(A, GuestState.CRASHED)
    bench.run(30)
    bench.die()
    bench.start()
    bench.run(1000)
    fault = bench.cloud.instance(A).fault
    assert fault is not None and fault.generation == 1
    bench.world.put(evolve(bench.world.look(A), state=GuestState.RUNNING, shutdown_at=None))
    bench.run(70)
    assert bench.cloud.instance(A).fault is None
    bench.world.stop(A, GuestState.CRASHED)
    bench.run(30)
    assert bench.seen() == (GuestState.RUNNING, True), "the worker acts again"


def test_a_fault_that_others_found_is_theirs_to_tell(bench: Bench) -> None:
    fault = Fault(code=FaultCode.NETWORK, generation=1, message="No such network.")
    bench.launch(fault=fault)
    bench.run(1000)
    assert [one.fault for one in bench.reported()] == [None]


def test_a_fault_does_not_keep_an_instance_from_being_deleted(bench: Bench) -> None:
    bench.driver.refusals["start"] = [errors.PermanentFailure("No.")]
    bench.launch()
    bench.driver.refusals["remove"] = [errors.PermanentFailure("Disk is read-only.")] * 2
    bench.change(desired=DELETED)
    assert "read-only" in str(bench.cloud.instance(A).fault)
    bench.run(30)
    assert bench.cloud.instance(A).ended_at is not None


def test_a_disk_that_is_gone_is_not_made_anew_from_the_image(bench: Bench) -> None:
    """A host that was installed anew, or whose disks are not mounted, must not pass an empty guest off as the old."""
    bench.launch()
    bench.die()
    bench.world.drop(A)
    bench.change(A, launched_at=1.0, observed=ObservedInstance(state=GuestState.RUNNING, generation=1))
    bench.start()
    bench.run(60)
    assert bench.world.look(A).state is GuestState.ABSENT
    fault = bench.cloud.reports[-1].instances[0].fault
    assert fault is not None and fault.code is FaultCode.HYPERVISOR
    assert "disk is not on its host" in fault.message


def test_a_disk_that_goes_while_the_guest_runs_is_not_made_anew_either(bench: Bench) -> None:
    bench.launch()
    bench.run(300)
    bench.world.put(evolve(bench.world.look(A), state=GuestState.CRASHED, prepared=False))
    bench.run(60)
    fault = bench.cloud.instance(A).fault
    assert fault is not None and fault.code is FaultCode.HYPERVISOR
    assert "disk is not on its host" in fault.message
    assert bench.driver.verbs == ["prepare", "start", "destroy"]
