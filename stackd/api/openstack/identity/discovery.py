"""Versions of the identity API: what every client reads first."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity.routing import Operations, app, root

_MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]


class Discovery(Operations):
    """``/`` and ``/v3``; neither needs a token."""

    @app.route("/", methods=["GET"])
    @operation(public=True)
    async def show_versions(self, call: Call) -> Answer:
        """All versions, which is one."""
        return Answer({"versions": {"values": [_version(call)]}}, 300, {"Location": f"{root(call)}/"})

    @app.route("/v3", methods=["GET"])
    @operation(public=True)
    async def show_version(self, call: Call) -> Answer:
        """Version 3."""
        return Answer({"version": _version(call)})


def _version(call: Call) -> dict[str, Any]:
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "media-types": _MEDIA,
            "links": [{"rel": "self", "href": f"{root(call)}/"}]}
