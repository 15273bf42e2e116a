"""What is fixed by the configuration and only read: the one domain, services, endpoints, the region, no groups."""

from typing import Any

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import views
from stackd.api.openstack.identity.routing import Operations, app, root

_FILTERS = ("name", "type", "service_id", "interface", "region_id")


class Fixtures(Operations):
    """``/v3/domains``, ``services``, ``endpoints``, ``regions`` and ``groups``."""

    @app.route("/v3/<any(domains, services, endpoints, regions, groups):word>", methods=["GET"])
    @operation()
    async def list_fixed(self, call: Call, word: str) -> Answer:
        """List, with the filters of each."""
        wanted = {name: value for name, value in call.query if name in _FILTERS}
        shown = [item for item in self._fixed(call, word)
                 if all(item.get(name) == value for name, value in wanted.items())]
        return Answer({word: shown, "links": {"self": f"{root(call)}/{word}", "next": None, "previous": None}})

    @app.route("/v3/<any(domains, services, endpoints, regions, groups):word>/<id>", methods=["GET"])
    @operation()
    async def show_fixed(self, call: Call, word: str, id: str) -> Answer:
        """Show."""
        for item in self._fixed(call, word):
            if item["id"] == id:
                return Answer({word[:-1]: item})
        raise errors.NotFound(word[:-1], id)

    def _fixed(self, call: Call, word: str) -> list[dict[str, Any]]:
        if word == "domains":
            return [views.domain(root(call))]
        items = {"services": self.catalog.services, "endpoints": self.catalog.endpoints,
                 "regions": self.catalog.regions}.get(word, list)()
        return [{**item, "links": {"self": f"{root(call)}/{word}/{item['id']}"}} for item in items]
