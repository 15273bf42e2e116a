"""The service catalogue: which API is where. Made once from the configuration, shown in every token."""

import uuid
from collections.abc import Sequence
from typing import Any

from attrs import frozen

INTERFACES = ("public", "internal", "admin")
_NAMESPACE = uuid.UUID("0e7f4b0c-6f43-4a57-9d55-2a1d1c8f7c11")


@frozen(kw_only=True)
class CatalogService:
    """One API: its official type, its project's name, and its path below the base address, or an address of its own."""

    type: str
    name: str
    path: str


DEFAULT_SERVICES = (
    CatalogService(type="identity", name="keystone", path="/identity/v3"),
    CatalogService(type="compute", name="nova", path="/compute/v2.1"),
    CatalogService(type="image", name="glance", path="/image"),
    CatalogService(type="network", name="neutron", path="/network"),
)


class Catalog:
    """The catalogue of one region; ids are made from names, so that they are the same after every start."""

    def __init__(self, base_url: str, region: str, services: Sequence[CatalogService] = DEFAULT_SERVICES) -> None:
        """``base_url`` is scheme, host and port as clients reach the OpenStack APIs."""
        self.region = region
        self._base = base_url.rstrip("/")
        self._services = tuple(services)
        self.entries = [self._entry(service) for service in services]

    def services(self) -> list[dict[str, Any]]:
        """The services as Keystone's own listing shows them."""
        return [{"id": _id("service", service.type), "type": service.type, "name": service.name, "description": "",
                 "enabled": True} for service in self._services]

    def endpoints(self) -> list[dict[str, Any]]:
        """The endpoints as Keystone's own listing shows them."""
        return [{**endpoint, "service_id": entry["id"], "enabled": True}
                for entry in self.entries for endpoint in entry["endpoints"]]

    def regions(self) -> list[dict[str, Any]]:
        """The one region."""
        return [{"id": self.region, "description": "", "parent_region_id": None}]

    def _entry(self, service: CatalogService) -> dict[str, Any]:
        url = service.path if "://" in service.path else self._base + service.path
        endpoints = [{"id": _id("endpoint", service.type, interface), "interface": interface, "region": self.region,
                      "region_id": self.region, "url": url} for interface in INTERFACES]
        return {"id": _id("service", service.type), "type": service.type, "name": service.name, "endpoints": endpoints}


def _id(*words: str) -> str:
    return uuid.uuid5(_NAMESPACE, "/".join(words)).hex
