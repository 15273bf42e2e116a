"""Reports on their way out: in order, each told its own outcome, whatever the broker does meanwhile."""

from collections import Counter
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from txamqp.client import Closed
from txamqp.content import Content
from txamqp.message import Message

from stackd import errors
from stackd.bus.amqp.reporting import Reporting
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.topology import Names
from stackd.bus.amqp.wire import SPEC

SETTINGS = AmqpSettings(most_waiting=4, confirm_within=30.0)


class Channel:
    """Remembers what was published."""

    closed = False

    def __init__(self) -> None:
        self.client = self
        self.user = "me"
        self.published: list[str] = []
        self.on_confirm: Any = None
        self.on_return: Any = None

    def basic_publish(self, exchange: str, routing_key: str, mandatory: bool, content: Content) -> None:
        self.published.append(content.body.decode())


class Connection:
    """A connection whose one channel comes and goes."""

    takes = True
    channel: Channel | None = None

    def __init__(self) -> None:
        self.traffic: Counter[tuple[str, str]] = Counter()

    def keep(self, declared: Any, opened: Any, lost: Any) -> "Connection":
        self._opened, self._lost = opened, lost
        return self

    def open(self) -> Channel:
        self.channel = Channel()
        self._opened(self.channel)
        return self.channel

    def lose(self) -> None:
        self.channel = None
        self._lost(Closed("gone"))


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def reporting(connection: Connection, clock: Clock) -> Reporting:
    return Reporting(connection, Names(SETTINGS), clock)  # type: ignore[arg-type]


def send(reporting: Reporting, *words: str) -> dict[str, str]:
    """Report each word; word -> outcome, once there is one."""
    outcomes: dict[str, str] = {}

    async def one(word: str) -> None:
        try:
            await reporting.send("conductor", Content(word.encode()))
            outcomes[word] = "taken"
        except errors.Unavailable as error:
            outcomes[word] = type(error).__name__

    for word in words:
        Deferred.fromCoroutine(one(word))
    return outcomes


def test_confirms_of_one_and_of_many(reporting: Reporting, connection: Connection) -> None:
    channel = connection.open()
    outcomes = send(reporting, "a", "b", "c", "d")
    channel.on_confirm(2, False, True)
    assert outcomes == {"b": "taken"}
    channel.on_confirm(3, True, True)
    assert outcomes == {"a": "taken", "b": "taken", "c": "taken"}
    channel.on_confirm(4, False, False)
    assert outcomes["d"] == "Overloaded"


def test_what_comes_back_was_not_taken(reporting: Reporting, connection: Connection) -> None:
    channel = connection.open()
    outcomes = send(reporting, "a", "b")
    method = SPEC.classes.byname["basic"].methods.byname["return"]
    returned = Message(method, [312, "NO_ROUTE", "", ""], Content(b"a", properties={"message-id": "1"}))
    channel.on_return(returned)
    channel.on_confirm(2, True, True)
    assert outcomes == {"a": "NoSuchTarget", "b": "taken"}


def test_they_wait_for_the_channel_in_order_and_are_bounded(reporting: Reporting, connection: Connection) -> None:
    outcomes = send(reporting, *"abcde")
    assert outcomes == {"e": "Overloaded"}
    assert connection.open().published == ["a", "b", "c", "d"]


def test_nothing_is_sent_while_the_broker_is_blocked(reporting: Reporting, connection: Connection) -> None:
    channel = connection.open()
    connection.takes = False
    send(reporting, "a", "b")
    assert not channel.published
    connection.takes = True
    reporting.outlet.flow()
    assert channel.published == ["a", "b"]


def test_a_lost_channel_leaves_the_outcome_unknown_and_numbers_begin_anew(
        reporting: Reporting, connection: Connection) -> None:
    connection.open()
    outcomes = send(reporting, "a")
    connection.lose()
    assert outcomes == {"a": "OutcomeUnknown"}
    outcomes = send(reporting, "b")
    connection.open().on_confirm(1, False, True)
    assert outcomes == {"b": "taken"}


def test_patience_ends_and_what_nobody_waits_for_is_not_sent(
        reporting: Reporting, connection: Connection, clock: Clock) -> None:
    outcomes = send(reporting, "a")
    clock.advance(30)
    assert outcomes == {"a": "OutcomeUnknown"}
    assert not connection.open().published


def test_a_late_confirm_disturbs_nobody(reporting: Reporting, connection: Connection, clock: Clock) -> None:
    channel = connection.open()
    send(reporting, "a")
    clock.advance(30)
    outcomes = send(reporting, "b")
    channel.on_confirm(1, False, True)
    assert not outcomes
    channel.on_confirm(2, False, True)
    assert outcomes == {"b": "taken"}


def test_stopping_tells_all(reporting: Reporting, connection: Connection) -> None:
    sent = send(reporting, "a")
    connection.open()
    connection.takes = False
    unsent = send(reporting, "b")
    reporting.stop()
    assert sent | unsent == {"a": "OutcomeUnknown", "b": "OutcomeUnknown"}


@pytest.mark.parametrize(("server", "quorum", "type_"), [
    ({"product": "RabbitMQ", "version": "3.10.8"}, None, "quorum"), ({"product": "Other"}, None, None),
    ({"product": "RabbitMQ", "version": "3.10.8"}, False, None), ({"product": "Other"}, True, "quorum")])
def test_queues_are_replicated_where_the_broker_can(server: dict[str, Any], quorum: bool | None, type_: str) -> None:
    queue = Names(evolve(SETTINGS, quorum=quorum)).reports_queue("conductor", server)
    assert queue.arguments.get("x-queue-type") == type_
    assert queue.arguments["x-overflow"] == "reject-publish"
