"""URLs of brokers, certificates, patience, and what a broker offers."""

import random
from pathlib import Path

import pytest

from stackd import errors
from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.connection import Backoff
from stackd.bus.amqp.settings import AmqpSettings, Broker
from stackd.bus.amqp.topology import Names, offers_quorum


@pytest.mark.parametrize(("url", "broker"), [
    ("amqp://h", Broker(host="h", port=5672)),
    ("amqps://h/", Broker(host="h", port=5671, tls=True)),
    ("amqp://u%40x:p%2F%3A@h:1234/my%2Fhost",
     Broker(host="h", port=1234, user="u@x", password="p/:", vhost="my/host")),
    ("amqp://[::1]:5/", Broker(host="::1", port=5)),
])
def test_urls(url: str, broker: Broker) -> None:
    assert Broker.parse(url) == broker


@pytest.mark.parametrize("url", ["", "h:5672", "http://h/", "amqp://", "amqp://h:port/", "amqp://h/?x=1"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(errors.BadConfiguration, match="amqp://USER"):
        Broker.parse(url)


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Broker.parse("amqp://u:secret@h/"))
    with pytest.raises(errors.BadConfiguration) as caught:
        Broker.parse("amqp://u:secret@h:port/")
    assert "secret" not in str(caught.value)


def test_a_bus_needs_a_broker() -> None:
    with pytest.raises(errors.BadConfiguration):
        AmqpBus(None, ())


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\n"])
def test_a_file_without_certificates_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.BadConfiguration, match=r"ca\.pem"):
        AmqpBus(None, settings=AmqpSettings(ca_file=str(path)))


def test_patience_grows_to_its_limit_with_jitter_and_begins_anew() -> None:
    backoff = Backoff(0.25, 15.0, random.Random(1))
    waits = [backoff.next() for _ in range(40)]
    for wait, full in zip(waits, [min(15.0, 0.25 * 2**n) for n in range(40)], strict=True):
        assert full / 2 <= wait <= full
    assert len({round(wait, 6) for wait in waits[10:]}) == 30
    backoff.reset()
    assert backoff.next() <= 0.25


@pytest.mark.parametrize(("product", "version", "offered"), [
    ("RabbitMQ", "3.7.28", False), ("RabbitMQ", "3.8.0", True), ("RabbitMQ", "4.0.5", True), ("LavinMQ", "4.0", False),
    ("RabbitMQ", "", False), ("RabbitMQ", "3", False)])
def test_who_offers_quorum_queues(product: str, version: str, offered: bool) -> None:
    assert offers_quorum({"product": product, "version": version}) is offered


def test_names_too_long_for_amqp_are_refused_with_words() -> None:
    names = Names(AmqpSettings())
    names.check("compute@" + "h" * 230)
    with pytest.raises(errors.InvalidValue, match="too long.*shorter host names"):
        names.check("compute@" + "h" * 240)
