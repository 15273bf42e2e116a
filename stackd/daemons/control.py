"""The services that act for the cloud as a whole: conductor and scheduler."""

from twisted.application.service import Service

from stackd.conductor.assignments import StoredAssignments
from stackd.conductor.service import ConductorService
from stackd.daemons.parts import Parts
from stackd.drivers import loading
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.scheduler.service import SchedulerService, SchedulerSettings


def conductor_service(parts: Parts) -> Service:
    """One conductor."""
    section = parts.config.scheduler
    ratios = {"vcpus": section.cpu_allocation_ratio, "memory_mib": section.memory_allocation_ratio,
              "disk_gib": section.disk_allocation_ratio}
    return ConductorService(parts.database, parts.bus, StoredAssignments(parts.database, ratios), parts.reactor,
                            host_gone=parts.config.hosts.gone)


def scheduler_service(parts: Parts) -> Service:
    """One scheduler with the configured algorithm."""
    section = parts.config.scheduler
    algorithm = loading.make("stackd.schedulers", section.algorithm, ISchedulerAlgorithm, parts.random)
    settings = SchedulerSettings(deadline=section.deadline, refresh=section.refresh,
                                 host_gone=parts.config.hosts.gone)
    return SchedulerService(parts.database, parts.bus, algorithm, parts.reactor, parts.random, settings)
