"""The one cloud: all use cases, assembled once per process. Every API is given this record and nothing else."""

from collections.abc import Sequence

from attrs import frozen

from stackd.core.addresses import FloatingIPs
from stackd.core.flavors import Flavors
from stackd.core.groups import SecurityGroups
from stackd.core.hosts import Hosts
from stackd.core.identity import Identity
from stackd.core.images import Images
from stackd.core.instances import Instances
from stackd.core.keypairs import KeyPairs
from stackd.core.launches import Launches
from stackd.core.networks import Networks
from stackd.core.ports import Ports
from stackd.core.quotas import Quotas
from stackd.core.shortids import ShortIds
from stackd.core.subnets import Subnets
from stackd.core.tags import Tags
from stackd.core.zones import Zones
from stackd.interfaces.bus import IMessageBus
from stackd.interfaces.clock import Clock
from stackd.interfaces.images import IImages
from stackd.model.networks import Underlay
from stackd.store.database import Database
from stackd.store.executors import Executor


@frozen(kw_only=True)
class Cloud:
    """Use cases by resource."""

    identity: Identity
    instances: Instances
    flavors: Flavors
    keypairs: KeyPairs
    images: Images
    networks: Networks
    subnets: Subnets
    ports: Ports
    addresses: FloatingIPs
    groups: SecurityGroups
    tags: Tags
    shortids: ShortIds
    hosts: Hosts
    zones: Zones
    quotas: Quotas


def assemble(database: Database, bus: IMessageBus, images: IImages, identity: Identity, clock: Clock,
             threads: Executor, zones: Sequence[str], host_gone: float, underlay: Underlay = Underlay()) -> Cloud:
    """The cloud over these parts; ``threads`` runs what is pure CPU, ``host_gone`` is in seconds."""
    hosts = Hosts(database, zones, host_gone)
    return Cloud(
        identity=identity, instances=Instances(database, bus, Launches(database, images, zones)),
        flavors=Flavors(database), keypairs=KeyPairs(database, clock, threads), images=Images(images),
        networks=Networks(database, underlay), subnets=Subnets(database), ports=Ports(database),
        addresses=FloatingIPs(database), groups=SecurityGroups(database), tags=Tags(database),
        shortids=ShortIds(database, images), hosts=hosts, zones=Zones(hosts), quotas=Quotas(database))
