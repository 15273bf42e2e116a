"""Where the APIs listen: EC2 at the port base, every OpenStack API one above, metadata one above that."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.application.service import MultiService
from twisted.web.resource import IResource, Resource

from stackd.api.ec2.resource import QueryApi
from stackd.api.metadata.signed import SignedInstances
from stackd.api.openstack.compute.service import ComputeService
from stackd.api.openstack.identity.catalog import DEFAULT_SERVICES, Catalog
from stackd.api.openstack.identity.service import IdentityService
from stackd.api.openstack.image.service import ImageService
from stackd.api.openstack.network.service import NetworkService
from stackd.api.openstack.streaming import StreamSite
from stackd.api.sites import Root, Tell, ToldSite
from stackd.config.sections import LOCAL_IMAGES, Config
from stackd.daemons.accesslog import AccessLog
from stackd.daemons.health import Check, health, metrics
from stackd.daemons.listening import Listener, Places
from stackd.daemons.monitor import bus_complaint
from stackd.daemons.parts import Parts
from stackd.imageservice.sweeping import STALL_SECONDS, Sweep, SweepService
from stackd.model.assignments import InstanceAssignment
from stackd.store import assigned, instances
from stackd.workers.metadata.web import MetadataResource


def public_url(config: Config) -> str:
    """Scheme, host and port of the OpenStack APIs as clients reach them."""
    api = config.api
    return f"http://{api.public_host or api.host}:{api.port_base + 1}"


def ec2_url(config: Config) -> str:
    """The same of EC2 and STS."""
    api = config.api
    return f"http://{api.public_host or api.host}:{api.port_base}"


def api_services(parts: Parts) -> MultiService:
    """Listeners of the EC2 and the OpenStack APIs."""
    services = MultiService()
    base = parts.config.api.port_base
    log = AccessLog(parts.reactor)
    ec2_root, openstack_root = with_health(parts, {}, ec2(parts)), with_health(parts, openstack(parts))
    _listen(parts, base, ToldSite(ec2_root, both(log, parts.metrics.answered("ec2")))).setServiceParent(services)
    _listen(parts, base + 1, StreamSite(openstack_root, tell=both(log, parts.metrics.answered("other")))
            ).setServiceParent(services)
    return services


def image_services(parts: Parts) -> MultiService:
    """A listener of the image API alone, at its place among the OpenStack APIs, and the sweep of its bytes."""
    services = MultiService()
    root = with_health(parts, {b"image": image(parts)})
    site = StreamSite(root, tell=both(AccessLog(parts.reactor), parts.metrics.answered("other")))
    _listen(parts, parts.config.api.port_base + 1, site).setServiceParent(services)
    SweepService(image_sweep(parts), parts.reactor).setServiceParent(services)
    return services


def image_sweep(parts: Parts, stall: float = STALL_SECONDS) -> Sweep:
    """Removes bytes no image and no unbuilt instance needs; uploads without progress for ``stall`` seconds end."""
    return Sweep(parts.registry, parts.store, stall=stall)


def metadata_service(parts: Parts) -> Listener:
    """The metadata of every instance for a proxy that signs whose it asks for."""
    async def show(id: str) -> InstanceAssignment | None:
        return await parts.database.read(assigned.assignment_of, id)

    async def user_data(id: str) -> bytes:
        return await parts.database.read(instances.user_data_of, id)

    secret = parts.metadata_secret
    resource = MetadataResource(find=SignedInstances(secret, show).find, user_data=user_data,
                                region=parts.config.cloud.region, secret=secret, clock=parts.reactor)
    tell = both(AccessLog(parts.reactor), parts.metrics.answered("metadata"))
    return _listen(parts, parts.config.api.port_base + 2, ToldSite(resource, tell))


def ec2(parts: Parts) -> QueryApi:
    """EC2 and STS."""
    return QueryApi(parts.identity, parts.reactor, parts.config.cloud.region, parts.core)


def openstack(parts: Parts) -> dict[bytes, IResource]:
    """Every OpenStack API by its path; of images only where this cloud's are its own."""
    own_images = {b"image": image(parts)} if parts.config.image.driver == LOCAL_IMAGES else {}
    return {b"identity": IdentityService(parts.identity, catalog(parts.config)).resource(),
            b"compute": ComputeService(parts.identity, parts.core).resource(),
            b"network": NetworkService(parts.core).resource(), **own_images}


def catalog(config: Config) -> Catalog:
    """Where clients find the APIs; images where the configuration says."""
    own = config.image.driver == LOCAL_IMAGES
    services = [service if own or service.type != "image" else evolve(service, path=config.image.url)
                for service in DEFAULT_SERVICES]
    return Catalog(public_url(config), config.cloud.region, services)


def image(parts: Parts) -> IResource:
    """The image API."""
    service = ImageService(parts.callers, parts.registry, parts.sharing, parts.content)
    resource: IResource = service.app.resource()
    return resource


def with_health(parts: Parts, children: Mapping[bytes, IResource], otherwise: Resource | None = None) -> Resource:
    """A root with these children and ``/healthz``; ``otherwise`` answers at all other paths.

    Where users come, ``/healthz`` tells only whether they are answered; a cloud whose broker is away takes requests.
    ``/metrics`` is here where the daemon has no port for it alone.
    """
    root = Root(otherwise)
    for path, child in {**children, b"healthz": health(lambda: answering(parts))}.items():
        root.putChild(path, child)
    if not parts.config.monitor.port:
        root.putChild(b"metrics", parts.siblings.metrics() if parts.siblings else metrics(parts.metrics.text))
    return root


def answering(parts: Parts) -> Mapping[str, Check]:
    """Checks of what a request cannot do without: the database, or the way to who has one."""
    return {"database": parts.database_answers} if "database" in parts.__dict__ else {
        "bus": lambda: bus_complaint(parts)}


def both(*tells: Tell) -> Tell:
    """Tells each of them."""
    def tell(told: Mapping[str, Any]) -> None:
        for each in tells:
            each(told)

    return tell


def _listen(parts: Parts, port: int, site: ToldSite) -> Listener:
    section = parts.config.api
    return Places(parts.reactor, section.host, section.stop_within, parts.adopted).listener(port, site)
