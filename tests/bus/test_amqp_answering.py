"""Answers go to addresses that the broker wrote."""

import base64

import pytest

from stackd import errors
from stackd.bus.amqp.answering import node_of

KEY = "./7KQ5doloNqaqMcj9GaavA=="
WRITTEN = "g1h2AA9yZXBseUAxMzIzMzE5MjQAAAMFAAAAAGsDGts="
TAIL = b"\0\0\3\5\0\0\0\0"


def address(raw: bytes) -> str:
    """With this as process."""
    return f"amq.rabbitmq.reply-to.{base64.b64encode(raw).decode()}{KEY}"


def test_nodes_are_told_apart_and_processes_of_one_are_not() -> None:
    first = node_of(f"amq.rabbitmq.reply-to.{WRITTEN}{KEY}")
    assert first == node_of("amq.rabbitmq.reply-to.g1h2AA9yZXBseUAxMzIzMzE5MjQAAAMPAAAAAGsDGts=.2gZbvoiXf3ccCg==")
    assert first == node_of(address(b"\x83Xv\0\x0freply@132331924" + TAIL + b"\x6b\x03\x1a\xdb"))
    others = {node_of(address(b"\x83Xw\x07reply@1" + TAIL + b"\0\0\0\1")),
              node_of(address(b"\x83Xw\x07reply@1" + TAIL + b"\0\0\0\2")),
              node_of(address(b"\x83Xd\0\x07reply@1" + TAIL + b"\0\0\0\1")),
              node_of(address(b"\x83Xw\x07reply@2" + TAIL + b"\0\0\0\1")),
              node_of(address(b"\x83gw\x07reply@2" + TAIL + b"\1")),
              node_of(address(b"\x83gd\0\x10rabbit@localhost" + TAIL + b"\1"))}
    assert len(others | {first}) == 7


@pytest.mark.parametrize("bad", [
    "", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.!.x", "stackd.conductor.calls",
    "amq.rabbitmq.reply-to.AAAA.x", "amq.rabbitmq.reply-to.abc", f"amq.rabbitmq.reply-to.{WRITTEN}",
    f"amq.rabbitmq.reply-to.{WRITTEN}.", f"amq.rabbitmq.reply-to.{WRITTEN}.a.b",
    f"amq.rabbitmq.reply-to.{WRITTEN}{KEY}\n",
    f"amq.rabbitmq.reply-to.{WRITTEN[:-1]}{KEY}", f"amq.rabbitmq.reply-to.={WRITTEN}{KEY}",
    f"amq.rabbitmq.reply-to.{WRITTEN[:-2]}t={KEY}", f"amq.rabbitmq.reply-to.{WRITTEN}.é",
    f"amq.rabbitmq.reply-to.{WRITTEN}." + "x" * 255, address(b"\x83m\0\0\0\1x"), address(b"\x83P\0\0\0\1x"),
    address(b"\x83Xw\x08reply@1" + TAIL + b"\0\0\0\1"), address(b"\x83Xw\x07reply@1" + TAIL + b"\0\0\0"),
    address(b"\x83Xw\x07reply@1" + TAIL + b"\0\0\0\1\0"), address(b"\x83Xw\x05reply" + TAIL + b"\0\0\0\1"),
    address(b"\x83Xv\1\x07reply@1" + TAIL + b"\0\0\0\1"), address(b"\x83Xw\x07reply\xff1" + TAIL + b"\0\0\0\1"),
    address(b"\x83Xs\x07reply@1" + TAIL + b"\0\0\0\1"), address(b"\x83gw\x07reply@1" + TAIL + b"\0\0\0\1")])
def test_what_no_broker_wrote_is_refused(bad: str) -> None:
    with pytest.raises(errors.NotAllowed):
        node_of(bad)
