"""What a client expects of the cloud, from what it was told: the checks at the end compare it with what is there.

Where an answer was lost and could not be had again, several outcomes are right.
"""

from attrs import Factory, mutable

RUNNING, STOPPED, GONE = "running", "stopped", "gone"


@mutable(eq=False)
class Launch:
    """One launch: ``token`` finds its instances whatever the answer was. ``certain`` unless nobody knows."""

    token: str
    name: str
    api: str
    least: int
    most: int
    accepted: bool = False
    certain: bool = True
    ids: list[str] = Factory(list)
    """As far as the client was told."""

    def explains(self, number: int) -> bool:
        """Whether so many instances are right."""
        if self.accepted:
            return number == len(self.ids)
        return number == 0 or (not self.certain and self.least <= number <= self.most)


@mutable(eq=False)
class Server:
    """One instance; ``id`` as the API calls it that launched it."""

    id: str
    api: str
    may_be: set[str] = Factory(lambda: {RUNNING})
    reboots: int = 0
    """Reboots accepted, so at least as many are counted."""
    labels: dict[str, set[str]] = Factory(dict)
    """Key -> the values it may have."""

    @property
    def alive(self) -> bool:
        """Whether it may still be there."""
        return self.may_be != {GONE}


@mutable(eq=False)
class Address:
    """One floating address and the instances it may lead to, '' for none; by the digits both APIs share."""

    id: str
    api: str
    may_lead: set[str] = Factory(lambda: {""})


@mutable
class Fleet:
    """Everything of one client."""

    launches: list[Launch] = Factory(list)
    servers: list[Server] = Factory(list)
    addresses: list[Address] = Factory(list)
    group: str = ""
    """The id of its security group, as OpenStack calls it."""
    open_ports: dict[int, set[bool]] = Factory(dict)
    """Port -> whether the group may let it in."""

    @property
    def alive(self) -> list[Server]:
        """Instances that may be there."""
        return [server for server in self.servers if server.alive]
