"""Memory of the whole cloud, idle: right after it is ready, and once both APIs have been used."""

from bench.faces import Ec2, OpenStack, connected
from bench.figures import Figure
from bench.subject import Subject

TARGET = 150


async def idle(subject: Subject) -> list[Figure]:
    """To be measured on a cloud nobody has asked anything yet."""
    fresh = subject.memory()
    async with connected(OpenStack, subject), connected(Ec2, subject):
        pass
    return [
        Figure(name="memory_idle", value=fresh, unit="MB", target=TARGET,
               meaning="resident memory of the one process with all daemons and 100 fake hosts, when it is ready"),
        Figure(name="memory_idle_used", value=subject.memory(), unit="MB", target=TARGET,
               meaning="the same after the first request of each API, which reads the model of EC2"),
    ]
