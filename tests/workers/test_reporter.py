"""What a worker says arrives, in order, in few messages, the newest word of each row last."""

import random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.model.assignments import FloatingReport, PortReport, Report
from stackd.model.networks import WiringState
from stackd.testing.cloudends import HeldAssignments
from stackd.workers.reporter import BATCH, Reporter
from stackd.workers.settings import WorkerSettings


class Mouth:
    """A reporter and the cloud's end."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cloud = HeldAssignments()
        self.reporter = Reporter(assignments=self.cloud, clock=self.clock, randomness=random.Random(1),
                                 settings=WorkerSettings(), host="h1", worker="network", session=lambda: 7)
        self.reporter.start()

    def say(self, id: str, generation: int = 1) -> None:
        self.reporter.say(PortReport(id=id, observed=WiringState.WIRED, generation=generation))

    def heard(self) -> list[list[tuple[str, int]]]:
        return [[(one.id, one.generation) for one in report.ports] for report in self.cloud.reports]


@pytest.fixture
def mouth() -> Mouth:
    return Mouth()


def test_what_is_queued_goes_as_one_report_sorted_by_id(mouth: Mouth) -> None:
    for id in "cab":
        mouth.say(id)
    mouth.clock.advance(0)
    assert mouth.heard() == [[("a", 1), ("b", 1), ("c", 1)]]
    [report] = mouth.cloud.reports
    assert (report.host, report.worker, report.session, report.counter) == ("h1", "network", 7, 1)


def test_the_newest_word_of_a_row_wins(mouth: Mouth) -> None:
    mouth.say("a", 1)
    mouth.say("a", 2)
    mouth.clock.advance(0)
    assert mouth.heard() == [[("a", 2)]]


def test_rows_of_different_kinds_are_apart(mouth: Mouth) -> None:
    mouth.say("a")
    mouth.reporter.say(FloatingReport(id="a", observed=WiringState.ABSENT, generation=3))
    mouth.clock.advance(0)
    [report] = mouth.cloud.reports
    assert (len(report.ports), len(report.floating_ips)) == (1, 1)


def test_one_report_at_a_time_and_the_rest_goes_with_the_next(mouth: Mouth) -> None:
    gate: Deferred[None] = Deferred()
    report = mouth.cloud.report

    async def slow(one: Report) -> None:
        await report(one)
        await gate

    mouth.cloud.report = slow  # type: ignore[method-assign]
    mouth.say("a")
    mouth.clock.advance(0)
    for id in ("a", "b", "c"):
        mouth.say(id, 2)
        mouth.clock.advance(0)
    assert mouth.heard() == [[("a", 1)]]
    gate.callback(None)
    mouth.clock.advance(0)
    assert mouth.heard() == [[("a", 1)], [("a", 2), ("b", 2), ("c", 2)]]


def test_what_was_not_confirmed_is_sent_again_with_a_higher_counter(mouth: Mouth) -> None:
    mouth.cloud.failures = [errors.OutcomeUnknown("Lost.")] * 3
    mouth.say("a")
    mouth.say("b")
    mouth.clock.advance(0)
    assert mouth.reporter.waiting == 2
    mouth.clock.pump([1.0] * 10)
    assert mouth.heard() == [[("a", 1), ("b", 1)]]
    assert mouth.cloud.reports[0].counter == 4
    assert mouth.reporter.waiting == 0


def test_a_newer_word_replaces_one_that_was_not_confirmed(mouth: Mouth) -> None:
    mouth.cloud.failures = [errors.OutcomeUnknown("Lost.")]
    mouth.say("a", 1)
    mouth.clock.advance(0)
    mouth.say("a", 2)
    mouth.clock.advance(0)
    assert mouth.heard() == [[("a", 2)]]


def test_what_was_said_during_a_report_that_failed_wins(mouth: Mouth) -> None:
    gate: Deferred[None] = Deferred()
    report = mouth.cloud.report

    async def lost(one: Report) -> None:
        mouth.cloud.report = report  # type: ignore[method-assign]
        await gate

    mouth.cloud.report = lost  # type: ignore[method-assign]
    mouth.say("a", 1)
    mouth.say("b", 1)
    mouth.clock.advance(0)
    mouth.say("a", 2)
    gate.errback(errors.OutcomeUnknown("Lost."))
    mouth.clock.pump([1.0] * 5)
    assert mouth.heard() == [[("a", 2), ("b", 1)]]


def test_very_many_words_take_several_reports(mouth: Mouth) -> None:
    for n in range(BATCH + 1):
        mouth.say(f"{n:04}")
    mouth.clock.advance(0)
    assert [len(each) for each in mouth.heard()] == [BATCH, 1]
