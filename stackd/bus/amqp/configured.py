"""The bus as the section ``[bus]`` of the configuration wants it: the entry point ``amqp`` of ``stackd.buses``."""

from collections.abc import Sequence
from typing import Any

from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.settings import AmqpSettings, Broker
from stackd.config import sections
from stackd.rules.admitting import Admission


def configured_bus(reactor: Any, section: sections.Bus, kept: Sequence[str]) -> AmqpBus:
    """Not connected before it is started; raises ``BadConfiguration``.

    ``kept`` are the addresses whose queues of reports this process declares: none where its user may not. Hosts may
    say what is theirs to say; only the users of our own URLs and the configured ones everything.
    """
    settings = AmqpSettings(prefix=section.prefix, ca_file=section.ca_file, heartbeat=section.heartbeat,
                            kept=tuple(kept))
    return AmqpBus(reactor, section.urls, settings, admit=admission(section))


def admission(section: sections.Bus) -> Admission:
    """Who may say what to daemons of this configuration."""
    return Admission((*(Broker.parse(url).user for url in section.urls), *section.trusted_users))
