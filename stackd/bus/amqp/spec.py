"""AMQP 0-9-1 with RabbitMQ's methods, as a table; ``load`` makes txamqp's object model of it.

txamqp ships no description that knows confirms, ``basic.nack``, exchange bindings or ``connection.blocked``;
``wire.py`` speaks by this one. A field is ``name:type``; a method is (name, number, fields, the names of its answers).
"""

from txamqp.spec import Class, Constant, Field, Method, Spec

FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT, FRAME_END = 1, 2, 3, 8, 206

_CLOSE = "reply-code:short reply-text:shortstr class-id:short method-id:short"
_TUNE = "channel-max:short frame-max:long heartbeat:short"
_EXCHANGES = ("reserved-1:short destination:shortstr source:shortstr routing-key:shortstr no-wait:bit arguments:table")
_ROUTED = "exchange:shortstr routing-key:shortstr"
_PROPERTIES = (
    "content-type:shortstr content-encoding:shortstr headers:table delivery-mode:octet priority:octet "
    "correlation-id:shortstr reply-to:shortstr expiration:shortstr message-id:shortstr timestamp:timestamp "
    "type:shortstr user-id:shortstr app-id:shortstr cluster-id:shortstr")

_Method = tuple[str, int, str, tuple[str, ...]]

TABLE: tuple[tuple[str, int, str, tuple[_Method, ...]], ...] = (
    ("connection", 10, "", (
        ("start", 10, "version-major:octet version-minor:octet server-properties:table mechanisms:longstr "
                      "locales:longstr", ("start-ok",)),
        ("start-ok", 11, "client-properties:table mechanism:shortstr response:longstr locale:shortstr", ()),
        ("secure", 20, "challenge:longstr", ("secure-ok",)),
        ("secure-ok", 21, "response:longstr", ()),
        ("tune", 30, _TUNE, ("tune-ok",)),
        ("tune-ok", 31, _TUNE, ()),
        ("open", 40, "virtual-host:shortstr reserved-1:shortstr reserved-2:bit", ("open-ok",)),
        ("open-ok", 41, "reserved-1:shortstr", ()),
        ("close", 50, _CLOSE, ("close-ok",)),
        ("close-ok", 51, "", ()),
        ("blocked", 60, "reason:shortstr", ()),
        ("unblocked", 61, "", ()),
        ("update-secret", 70, "new-secret:longstr reason:shortstr", ("update-secret-ok",)),
        ("update-secret-ok", 71, "", ()))),
    ("channel", 20, "", (
        ("open", 10, "reserved-1:shortstr", ("open-ok",)),
        ("open-ok", 11, "reserved-1:longstr", ()),
        ("flow", 20, "active:bit", ("flow-ok",)),
        ("flow-ok", 21, "active:bit", ()),
        ("close", 40, _CLOSE, ("close-ok",)),
        ("close-ok", 41, "", ()))),
    ("exchange", 40, "", (
        ("declare", 10, "reserved-1:short exchange:shortstr type:shortstr passive:bit durable:bit auto-delete:bit "
                        "internal:bit no-wait:bit arguments:table", ("declare-ok",)),
        ("declare-ok", 11, "", ()),
        ("delete", 20, "reserved-1:short exchange:shortstr if-unused:bit no-wait:bit", ("delete-ok",)),
        ("delete-ok", 21, "", ()),
        ("bind", 30, _EXCHANGES, ("bind-ok",)),
        ("bind-ok", 31, "", ()),
        ("unbind", 40, _EXCHANGES, ("unbind-ok",)),
        ("unbind-ok", 51, "", ()))),
    ("queue", 50, "", (
        ("declare", 10, "reserved-1:short queue:shortstr passive:bit durable:bit exclusive:bit auto-delete:bit "
                        "no-wait:bit arguments:table", ("declare-ok",)),
        ("declare-ok", 11, "queue:shortstr message-count:long consumer-count:long", ()),
        ("bind", 20, f"reserved-1:short queue:shortstr {_ROUTED} no-wait:bit arguments:table", ("bind-ok",)),
        ("bind-ok", 21, "", ()),
        ("purge", 30, "reserved-1:short queue:shortstr no-wait:bit", ("purge-ok",)),
        ("purge-ok", 31, "message-count:long", ()),
        ("delete", 40, "reserved-1:short queue:shortstr if-unused:bit if-empty:bit no-wait:bit", ("delete-ok",)),
        ("delete-ok", 41, "message-count:long", ()),
        ("unbind", 50, f"reserved-1:short queue:shortstr {_ROUTED} arguments:table", ("unbind-ok",)),
        ("unbind-ok", 51, "", ()))),
    ("basic", 60, _PROPERTIES, (
        ("qos", 10, "prefetch-size:long prefetch-count:short global:bit", ("qos-ok",)),
        ("qos-ok", 11, "", ()),
        ("consume", 20, "reserved-1:short queue:shortstr consumer-tag:shortstr no-local:bit no-ack:bit exclusive:bit "
                        "no-wait:bit arguments:table", ("consume-ok",)),
        ("consume-ok", 21, "consumer-tag:shortstr", ()),
        ("cancel", 30, "consumer-tag:shortstr no-wait:bit", ("cancel-ok",)),
        ("cancel-ok", 31, "consumer-tag:shortstr", ()),
        ("publish", 40, f"reserved-1:short {_ROUTED} mandatory:bit immediate:bit", ()),
        ("return", 50, f"reply-code:short reply-text:shortstr {_ROUTED}", ()),
        ("deliver", 60, f"consumer-tag:shortstr delivery-tag:longlong redelivered:bit {_ROUTED}", ()),
        ("get", 70, "reserved-1:short queue:shortstr no-ack:bit", ("get-ok", "get-empty")),
        ("get-ok", 71, f"delivery-tag:longlong redelivered:bit {_ROUTED} message-count:long", ()),
        ("get-empty", 72, "reserved-1:shortstr", ()),
        ("ack", 80, "delivery-tag:longlong multiple:bit", ()),
        ("reject", 90, "delivery-tag:longlong requeue:bit", ()),
        ("recover-async", 100, "requeue:bit", ()),
        ("recover", 110, "requeue:bit", ("recover-ok",)),
        ("recover-ok", 111, "", ()),
        ("nack", 120, "delivery-tag:longlong multiple:bit requeue:bit", ()))),
    ("confirm", 85, "", (
        ("select", 10, "no-wait:bit", ("select-ok",)),
        ("select-ok", 11, "", ()))),
)

WITH_CONTENT = frozenset({("basic", "publish"), ("basic", "return"), ("basic", "deliver"), ("basic", "get-ok")})


def load() -> Spec:
    """The table as txamqp's object model, whose channels get one Python method for each method here."""
    spec = Spec(0, 9, __file__)
    spec.constants.add(Constant(spec, "frame-end", FRAME_END, None, []))
    for name, number, properties, methods in TABLE:
        spec.classes.add(_load_class(name, number, properties, methods))
    spec.post_load()
    return spec


def _load_class(name: str, number: int, properties: str, methods: tuple[_Method, ...]) -> Class:
    made = Class(None, name, number, None, [])
    _add_fields(made.fields, properties)
    for word, index, fields, _ in methods:
        content = (name, word) in WITH_CONTENT
        method = Method(made, word, index, content, [], False, f"{name}.{word}", [])
        _add_fields(method.fields, fields)
        made.methods.add(method)
    for word, _, _, answers in methods:
        found = [made.methods.byname[answer] for answer in answers]
        made.methods.byname[word].responses = found
        for answer in found:
            answer.response = True
    return made


def _add_fields(container: object, fields: str) -> None:
    for number, field in enumerate(fields.split()):
        name, _, kind = field.partition(":")
        container.add(Field(name, number, kind, []))  # type: ignore[attr-defined]
