"""``stack-api``: the OpenStack and EC2 APIs, metadata for proxies, the operator's socket, and nothing that acts.

With more than one worker the process that ``twistd`` runs is their master; each worker is all of the above, but for the
operator's socket, which the first alone has.
"""

from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService

from stackd.config.sections import Config
from stackd.daemons import split
from stackd.daemons.endpoints import api_services, metadata_service
from stackd.daemons.monitor import listening
from stackd.daemons.operating import operator_commands
from stackd.daemons.operator import operator_service
from stackd.daemons.parts import Parts
from stackd.daemons.prefork import FIRST_SOCKET, Master, Post, wanted
from stackd.daemons.prefork_monitor import Siblings

PORTS = 3
"""EC2, OpenStack, metadata."""


class Options(split.Options):
    """Options of ``twistd stack-api``."""

    optParameters: Any = [["workers", "w", None, "Processes that answer; 0: one for each core.", int]]


def makeService(options: Options) -> IService:
    """The service ``twistd`` runs."""
    from twisted.internet import reactor

    config = split.configured(options)
    number = wanted(config.api.workers if options["workers"] is None else options["workers"])
    return split.daemon(options, api, Parts) if number == 1 else master(reactor, config, options["config"], number)


def master(reactor: Any, config: Config, file: str | None, number: int) -> Master:
    """The master of ``number`` workers."""
    base = config.api.port_base
    sockets = {base + index: FIRST_SOCKET + index for index in range(PORTS)}
    beginning = str(Path(config.cloud.state) / "worker-")
    made = Master(reactor, [Post(number=each, daemon="api", config=file, sockets=sockets, workers=number,
                                 monitor=beginning, shown_at=config.monitor.port) for each in range(number)],
                  config.api.host, config.api.stop_within)
    if config.monitor.port:
        listening(reactor, config.monitor, Siblings(reactor, beginning, number).root()).setServiceParent(made)
    return made


def worker(post: Post) -> IService:
    """One of the workers."""
    def parts(reactor: Any, config: Config) -> Parts:
        made = Parts(reactor, config)
        made.adopted = post.sockets
        made.monitor_socket = f"{post.monitor}{post.number}"
        made.siblings = Siblings(reactor, post.monitor, post.workers)
        return made

    def make(made: Parts) -> IService:
        return api(made, operated=post.number == 0)

    return split.daemon({"config": post.config, "monitor": post.shown_at}, make, parts)


def api(parts: Parts, operated: bool = True) -> MultiService:
    """All that listens."""
    services = MultiService()  # type: ignore[no-untyped-call]
    api_services(parts).setServiceParent(services)
    metadata_service(parts).setServiceParent(services)
    if operated:
        commands = operator_commands(parts, None)
        operator_service(parts.reactor, parts.operator_socket, commands).setServiceParent(services)
    return services
