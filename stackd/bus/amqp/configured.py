"""The bus as the section ``[bus]`` of the configuration wants it: the entry point ``amqp`` of ``stackd.buses``."""

from collections.abc import Sequence
from typing import Any

from stackd.bus.amqp.bus import AmqpBus, admit_all
from stackd.bus.amqp.serving import Admit
from stackd.bus.amqp.settings import AmqpSettings
from stackd.config import sections


def configured_bus(reactor: Any, section: sections.Bus, kept: Sequence[str], admit: Admit = admit_all) -> AmqpBus:
    """Not connected before it is started; raises ``BadConfiguration``.

    ``kept`` are the addresses whose queues of reports this process declares: none where its user may not.
    """
    settings = AmqpSettings(prefix=section.prefix, ca_file=section.ca_file, heartbeat=section.heartbeat,
                            kept=tuple(kept))
    return AmqpBus(reactor, section.urls, settings, admit=admit)
