"""``/v2.1/flavors``: sizes of servers."""

from collections.abc import Callable, Iterable
from typing import Any

from stackd import errors
from stackd.api.openstack.compute.paging import ABSENT, following, page
from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.compute.schemas import flavors as schemas
from stackd.api.openstack.compute.schemas.types import true
from stackd.api.openstack.compute.views import flavors as views
from stackd.api.openstack.http import Answer, Call
from stackd.model import ids
from stackd.model.flavors import Flavor

_BOOLEANS = {"t": True, "true": True, "1": True, "on": True, "yes": True, "y": True,
             "f": False, "false": False, "0": False, "off": False, "no": False, "n": False}


class Flavors(Operations):
    """Flavors, their extra specs read only."""

    @app.route("/v2.1/flavors", methods=["GET"])
    @offered()
    async def list_flavors(self, call: Call) -> Answer:
        """A page of ids and names."""
        return _listed(call, await self.cloud.flavors.list(call.caller), views.brief)

    @app.route("/v2.1/flavors/detail", methods=["GET"])
    @offered()
    async def list_flavor_details(self, call: Call) -> Answer:
        """A page of everything."""
        return _listed(call, await self.cloud.flavors.list(call.caller), views.full)

    @app.route("/v2.1/flavors", methods=["POST"])
    @offered(schemas.CREATE)
    async def create_flavor(self, call: Call) -> Answer:
        """Add one; for admins."""
        flavor = await self.cloud.flavors.create(call.caller, _new(call.body["flavor"]))
        return Answer({"flavor": views.full(flavor, call)})

    @app.route("/v2.1/flavors/<id>", methods=["GET"])
    @offered()
    async def show_flavor(self, call: Call, id: str) -> Answer:
        """One."""
        return Answer({"flavor": views.full(await self.cloud.flavors.get(call.caller, id), call)})

    @app.route("/v2.1/flavors/<id>", methods=["DELETE"])
    @offered()
    async def delete_flavor(self, call: Call, id: str) -> Answer:
        """Remove one; for admins. Servers keep their size."""
        await self.cloud.flavors.delete(call.caller, id)
        return Answer(None, 202)

    @app.route("/v2.1/flavors/<id>/os-extra_specs", methods=["GET"])
    @offered()
    async def list_extra_specs(self, call: Call, id: str) -> Answer:
        """What a flavor says beside its size."""
        return Answer({"extra_specs": dict((await self.cloud.flavors.get(call.caller, id)).extra_specs)})

    @app.route("/v2.1/flavors/<id>/os-extra_specs/<name>", methods=["GET"])
    @offered()
    async def show_extra_spec(self, call: Call, id: str, name: str) -> Answer:
        """One of them."""
        specs = (await self.cloud.flavors.get(call.caller, id)).extra_specs
        if name not in specs:
            raise errors.NotFound("extra_spec", name)
        return Answer({name: specs[name]})


def _listed(call: Call, flavors: Iterable[Flavor], shown: Callable[[Flavor, Call], dict[str, Any]]) -> Answer:
    found = [flavor for flavor in flavors if _wanted(call, flavor)]
    items, more = page(call, _ordered(call, found), lambda flavor: flavor.id)
    marker = items[-1].id if items else ""
    return Answer({"flavors": [shown(flavor, call) for flavor in items],
                   **following(call, "flavors", items, more, marker)})


def _wanted(call: Call, flavor: Flavor) -> bool:
    return flavor.memory_mib >= _least(call, "minRam") and flavor.disk_gib >= _least(call, "minDisk") \
        and _public(call) in (None, flavor.public)


def _least(call: Call, name: str) -> int:
    return call.number(name, 0)


def _public(call: Call) -> bool | None:
    """Which flavors are wanted; only admins may ask for others than public ones. None: both."""
    text = call.arg("is_public")
    if not call.caller.is_admin or text is None:
        return True
    if text.lower() in (ABSENT.lower(), "all"):
        return None
    if text.lower() not in _BOOLEANS:
        raise errors.InvalidValue("is_public", f"'{text}' is neither true, false nor None")
    return _BOOLEANS[text.lower()]


_ORDERS: dict[str, Callable[[Flavor], Any]] = {
    "flavorid": lambda flavor: flavor.id, "id": lambda flavor: flavor.id, "name": lambda flavor: flavor.name,
    "memory_mb": lambda flavor: flavor.memory_mib, "vcpus": lambda flavor: flavor.vcpus,
    "root_gb": lambda flavor: flavor.disk_gib, "created_at": lambda flavor: flavor.created_at,
    "is_public": lambda flavor: flavor.public,
    **dict.fromkeys(("updated_at", "disabled", "ephemeral_gb", "rxtx_factor", "swap", "vcpu_weight", "description"),
                    lambda flavor: 0),
}


def _ordered(call: Call, found: list[Flavor]) -> list[Flavor]:
    name, direction = call.arg("sort_key") or "flavorid", call.arg("sort_dir") or "asc"
    if name not in _ORDERS:
        raise errors.InvalidValue("sort_key", f"flavors have no '{name}'")
    if direction not in ("asc", "desc"):
        raise errors.InvalidValue("sort_dir", f"'{direction}' is neither asc nor desc")
    return sorted(found, key=lambda flavor: (_ORDERS[name](flavor), flavor.id), reverse=direction == "desc")


def _new(body: dict[str, Any]) -> Flavor:
    id = body.get("id")
    return Flavor(
        id=ids.dashed(ids.new_id()) if id in (None, "auto") else str(id), name=body["name"],
        vcpus=int(body["vcpus"]), memory_mib=int(body["ram"]), disk_gib=int(body["disk"]),
        public=true(body.get("os-flavor-access:is_public", True)), description=body.get("description") or "")
