"""Tokens, and what the holder of one may know: catalogue, own projects, own domains."""

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import schemas, views
from stackd.api.openstack.identity.logins import login_of
from stackd.api.openstack.identity.routing import Operations, app, listing, page_of, root

SUBJECT = "X-Subject-Token"
_VARY = {"Vary": "X-Auth-Token"}


class Tokens(Operations):
    """``/v3/auth``."""

    @app.route("/v3/auth/tokens", methods=["POST"])
    @operation(schemas.LOGIN, public=True)
    async def create_token(self, call: Call) -> Answer:
        """Log in."""
        issued = await self.identity.authenticate(login_of(call.body))
        body = views.token(issued.view, None if "nocatalog" in dict(call.query) else self.catalog.entries)
        return Answer(body, 201, {SUBJECT: issued.text, **_VARY})

    @app.route("/v3/auth/tokens", methods=["GET"])
    @operation()
    async def show_token(self, call: Call) -> Answer:
        """Look at a token, also by HEAD."""
        subject = _subject(call)
        view = await self.identity.show_token(call.caller, subject)
        body = views.token(view, None if "nocatalog" in dict(call.query) else self.catalog.entries)
        return Answer(body, 200, {SUBJECT: subject, **_VARY})

    @app.route("/v3/auth/tokens", methods=["DELETE"])
    @operation()
    async def delete_token(self, call: Call) -> Answer:
        """Void a token."""
        await self.identity.revoke_token(call.caller, _subject(call))
        return Answer(None, 204)

    @app.route("/v3/auth/catalog", methods=["GET"])
    @operation()
    async def show_catalog(self, call: Call) -> Answer:
        """Where the APIs are."""
        return Answer({"catalog": self.catalog.entries, "links": {"self": f"{root(call)}/auth/catalog"}})

    @app.route("/v3/auth/projects", methods=["GET"])
    @operation()
    async def list_own_projects(self, call: Call) -> Answer:
        """The projects the caller may ask a token for."""
        page = await self.identity.projects.of_user(call.caller, call.caller.user_id, page_of(call))
        return listing(call, "projects", page, views.project)

    @app.route("/v3/auth/domains", methods=["GET"])
    @operation()
    async def list_own_domains(self, call: Call) -> Answer:
        """The domains the caller may ask a token for: none, tokens are for projects."""
        return Answer({"domains": [], "links": {"self": f"{root(call)}/auth/domains", "next": None, "previous": None}})


def _subject(call: Call) -> str:
    subject = call.raw.getHeader(SUBJECT.lower())
    if not subject:
        raise errors.MissingValue(f"the header {SUBJECT}")
    return subject
