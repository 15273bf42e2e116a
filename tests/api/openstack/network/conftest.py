"""A bootstrapped cloud's network API, asked over an HTTP client that needs no network."""

from typing import Any

import orjson
from argon2 import PasswordHasher, profiles
from attrs import field, frozen
from pytest_twisted import async_fixture
from treq.testing import StubTreq
from twisted.web.resource import Resource

from stackd.api.openstack.network.service import NetworkService
from stackd.core.addresses import FloatingIPs
from stackd.core.cloud import Cloud as Cores
from stackd.core.groups import SecurityGroups
from stackd.core.hosts import Hosts
from stackd.core.identity import Identity
from stackd.core.identity_tokens import new_key
from stackd.core.networks import Networks
from stackd.core.ports import Ports
from stackd.core.quotas import Quotas
from stackd.core.subnets import Subnets
from stackd.core.zones import Zones
from stackd.model.identities import Bootstrapped, Login, Scope, UserLogin
from stackd.model.networks import Underlay
from stackd.store import defaults
from stackd.store.executors import InlineExecutor
from stackd.testing.projects import ZONES, Cloud

BASE = "http://cloud.example:9696"


@frozen
class Answered:
    """A status and the body parsed."""

    status: int
    body: Any


@frozen
class Neutron:
    """The API, the rows behind it, and a token for each of the first two tenancies."""

    cloud: Cloud
    made: Bootstrapped
    site: Resource
    tokens: dict[str, str] = field(factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, who: str = "demo") -> Answered:
        """One request below ``/network/v2.0``."""
        sent = {"X-Auth-Token": self.tokens[who]} if who else {}
        answer = await StubTreq(self.site).request(method, f"{BASE}/network/v2.0{path}", headers=sent,
                                                   data=None if body is None else orjson.dumps(body))
        content = await answer.content()
        return Answered(answer.code, orjson.loads(content) if content else None)

    async def make(self, path: str, word: str, who: str = "demo", **body: Any) -> Any:
        """Create one thing and return its view."""
        answer = await self.ask("POST", path, {word: body}, who)
        assert answer.status == 201, answer
        return answer.body[word]

    async def list(self, path: str, word: str, who: str = "demo") -> list[Any]:
        """A list of views."""
        answer = await self.ask("GET", path, who=who)
        assert answer.status == 200, answer
        found: list[Any] = answer.body[word]
        return found


@async_fixture
async def neutron() -> Neutron:
    """A new cloud with an external network."""
    cloud = Cloud()
    database = cloud.database
    identity = Identity(database, cloud.clock, [new_key()], InlineExecutor(),
                        hasher=PasswordHasher.from_parameters(profiles.CHEAPEST),
                        on_new_project=[_seed])
    made = await identity.bootstrap("admin-secret", "demo-secret")
    cloud.public()
    hosts = Hosts(database, ZONES, 60.0)
    nothing: Any = None
    parts = Cores(
        identity=identity, instances=nothing, flavors=nothing, keypairs=nothing, images=nothing, tags=nothing,
        shortids=nothing, networks=Networks(database, Underlay(vlans=VLANS)), subnets=Subnets(database),
        ports=Ports(database), addresses=FloatingIPs(database), groups=SecurityGroups(database), hosts=hosts,
        zones=Zones(hosts), quotas=Quotas(database))
    site = Resource()
    site.putChild(b"network", NetworkService(parts).resource())
    neutron = Neutron(cloud, made, site)
    for name in ("admin", "demo"):
        neutron.tokens[name] = await _token(identity, made, name)
    return neutron


VLANS = {"physnet1": (100, 101)}


def _seed(tx: Any, project: Any) -> None:
    defaults.new_project(tx, project, ZONES, "172.31.0.0/16")


async def _token(identity: Identity, made: Bootstrapped, name: str) -> str:
    tenancy = getattr(made, name)
    issued = await identity.authenticate(Login(
        user=UserLogin(id=tenancy.user.id), password=f"{name}-secret", scope=Scope(project_id=tenancy.project.id)))
    return issued.text
