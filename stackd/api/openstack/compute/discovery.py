"""Versions of the compute API: what every client reads first."""

from typing import Any

from stackd.api.openstack.compute.microversions import HIGHEST, LOWEST, text_of
from stackd.api.openstack.compute.routing import Operations, app, root
from stackd.api.openstack.http import Answer, Call, operation

_MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]


class Discovery(Operations):
    """``/`` and ``/v2.1``; neither needs a token."""

    @app.route("/", methods=["GET"])
    @operation(public=True)
    async def list_versions(self, call: Call) -> Answer:
        """All versions, which is one."""
        return Answer({"versions": [_version(call)]})

    @app.route("/v2.1", methods=["GET"])
    @operation(public=True)
    async def show_version(self, call: Call) -> Answer:
        """Version 2.1 and its microversions."""
        described = {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/api-ref/compute/"}
        version = _version(call)
        return Answer({"version": version | {"links": [*version["links"], described], "media-types": _MEDIA}})


def _version(call: Call) -> dict[str, Any]:
    return {"id": "v2.1", "status": "CURRENT", "version": text_of(HIGHEST), "min_version": text_of(LOWEST),
            "updated": "2013-07-23T11:33:21Z", "links": [{"rel": "self", "href": f"{root(call)}/v2.1/"}]}
