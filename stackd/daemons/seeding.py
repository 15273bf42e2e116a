"""What a new cloud has before anybody asks: flavors, the external network, and each project's defaults."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from stackd.config.physical import vlan_ranges
from stackd.config.sections import LOCAL_IMAGES, Config
from stackd.core import flavors
from stackd.imageservice.seeding import TINY, Seeding
from stackd.model.callers import ADMIN, Caller
from stackd.model.identities import Project, Tenancy
from stackd.model.networks import NetworkType, Underlay
from stackd.model.quotas import QuotaSet
from stackd.rules import underlays
from stackd.store import defaults, quotas
from stackd.store.database import Transaction

if TYPE_CHECKING:
    from stackd.daemons.parts import Parts


def new_project(config: Config) -> Callable[[Transaction, Project], None]:
    """The hook that gives a new project its quotas, its ``default`` group and its default network."""

    def seed(tx: Transaction, project: Project) -> None:
        set_quotas(tx, project, config.quotas)
        defaults.new_project(tx, project, config.cloud.zones, config.cloud.default_network_cidr,
                             underlays.mtu_of(NetworkType.VXLAN, underlay(config)))

    return seed


def underlay(config: Config) -> Underlay:
    """What networks stand on."""
    return Underlay(mtu=config.network.underlay_mtu, vlans=vlan_ranges(config.network.vlan_ranges))


def set_quotas(tx: Transaction, project: Project, limits: QuotaSet) -> None:
    """The configured limits, unless the project has its own."""
    if quotas.limits_of(tx, project.id) == QuotaSet():
        quotas.change(tx, project.id, limits)


def seed_cloud(tx: Transaction, admin_project_id: str, external_cidr: str) -> None:
    """The default flavors and the network of floating addresses; harmless when they are there."""
    flavors.seed(tx)
    defaults.external(tx, admin_project_id, external_cidr)


async def seed_images(parts: "Parts", admin: Tenancy) -> None:
    """The one image of a cloud of fake hosts: a few KiB that fake guests pretend to boot from.

    A cloud with another's images has none of its own.
    """
    if parts.config.image.driver != LOCAL_IMAGES:
        return
    caller = Caller(user_id=admin.user.id, user_name=admin.user.name, project_id=admin.project.id,
                    project_name=admin.project.name, roles=frozenset({ADMIN}), request_id="bootstrap")
    await Seeding(parts.own_registry, parts.content, caller, parts.threads.run).ensure(TINY)
