"""The HTTP side of the metadata service: from a request to the instance that asks, and to its tree.

Who asks is found by a :data:`Finder`: on a host by the network of the listening socket and the source address, on
the cloud's metadata port by a signed header. The tree and the answers are the same. IMDSv1 requests, without a
token, are served too.
"""

import secrets
from collections.abc import Awaitable, Callable

from twisted.internet import defer
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from stackd import errors
from stackd.interfaces.clock import Clock
from stackd.model.assignments import InstanceAssignment
from stackd.workers.metadata import ec2, openstack, tokens, tree

log = Logger()
Finder = Callable[[Request], Awaitable[InstanceAssignment | None]]
Lookup = Callable[[str, str], InstanceAssignment | None]
UserData = Callable[[str], Awaitable[bytes]]

_TOKEN = "x-aws-ec2-metadata-token"
_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
_STATUSES: tuple[tuple[type[errors.StackdError], int], ...] = (
    (errors.NotFound, 404), (errors.NotAuthenticated, 401), (errors.NotAllowed, 403),
    (errors.MethodNotAllowed, 405), (errors.BadRequest, 400), (errors.Unavailable, 503))
SEED_BYTES = 512


class MetadataResource(Resource):
    """Every path of the service."""

    isLeaf = True

    def __init__(self, *, find: Finder, user_data: UserData, region: str, secret: bytes, clock: Clock,
                 randomness: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """``secret`` signs tokens: the same on all that serve an instance, and after a restart."""
        super().__init__()
        self._find = find
        self._user_data = user_data
        self._region = region
        self._secret = secret
        self._clock = clock
        self._randomness = randomness

    def render_GET(self, request: Request) -> int:
        """Answer a look; ``HEAD`` comes here too."""
        return self._respond(request, self._get)

    def render_PUT(self, request: Request) -> int:
        """Answer a request for a token."""
        return self._respond(request, self._put)

    def _respond(self, request: Request, answer: Callable[[Request, InstanceAssignment], Awaitable[bytes]]) -> int:
        task = defer.ensureDeferred(self._write(request, answer))
        request.notifyFinish().addErrback(lambda gone: task.cancel())
        return NOT_DONE_YET

    async def _write(self, request: Request,
                     answer: Callable[[Request, InstanceAssignment], Awaitable[bytes]]) -> None:
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        try:
            found = await self._find(request)
            if found is None:
                raise errors.NotFound("instance", _peer(request))
            body = await answer(request, found)
        except defer.CancelledError:
            return
        except Exception as error:
            body = self._refuse(request, error)
        request.setHeader("Content-Length", str(len(body)))
        request.write(body if request.method != b"HEAD" else b"")
        request.finish()

    def _refuse(self, request: Request, error: Exception) -> bytes:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
        if status == 500:
            log.failure("a metadata request from {peer} failed", peer=_peer(request))
        request.setResponseCode(status)
        return f"{status} {error if status != 500 else 'An internal error occurred.'}\n".encode()

    async def _get(self, request: Request, found: InstanceAssignment) -> bytes:
        token = request.getHeader(_TOKEN)
        if token is not None and not tokens.is_valid(self._secret, found.instance.id, token, self._clock.seconds()):
            raise errors.NotAuthenticated("The session token is not valid.", remedy="Ask for a new one.")
        path = [segment for segment in request.path.decode("utf-8", "replace").split("/") if segment]
        node = tree.find(self._tree(found), path)
        if node is None:
            raise errors.NotFound("metadata", "/" + "/".join(path), remedy="List the directory above it.")
        return await self._content(request, found, node, path)

    async def _content(self, request: Request, found: InstanceAssignment, node: tree.Node, path: list[str]) -> bytes:
        if node is tree.USER_DATA:
            request.setHeader("Content-Type", "application/octet-stream")
            return await self._user_data(found.instance.id)
        if isinstance(node, str):
            if path[-1].endswith(".json") or path[-1] == "document":
                request.setHeader("Content-Type", "application/json")
            return node.encode()
        assert not isinstance(node, tree.Labelled | tree.Fetched)
        return tree.listing(node).encode() if path else "\n".join(ec2.VERSIONS).encode()

    async def _put(self, request: Request, found: InstanceAssignment) -> bytes:
        if request.path.rstrip(b"/") != b"/latest/api/token":
            raise errors.MethodNotAllowed("Only /latest/api/token takes PUT.")
        if request.getHeader("x-forwarded-for") is not None:
            raise errors.NotAllowed("Session tokens are not given through proxies.",
                                    remedy="Ask from the guest itself.")
        ttl = request.getHeader(_TTL) or ""
        if not (ttl.isascii() and ttl.isdigit() and len(ttl) <= 5 and 1 <= int(ttl) <= tokens.LONGEST):
            raise errors.InvalidValue(_TTL, f"it must be 1 to {tokens.LONGEST} seconds.")
        request.setHeader(_TTL, ttl)
        return tokens.issue(self._secret, found.instance.id, int(self._clock.seconds()) + int(ttl)).encode()

    def _tree(self, found: InstanceAssignment) -> tree.Directory:
        of_ec2 = ec2.ec2_tree(found, self._region)
        of_openstack = openstack.openstack_tree(found, self._randomness(SEED_BYTES))
        return {**dict.fromkeys(ec2.VERSIONS, of_ec2), "openstack": dict.fromkeys(openstack.VERSIONS, of_openstack)}


def by_source(lookup: Lookup, network_id: str) -> Finder:
    """The finder of a host: who asks is who holds the source address on the network of the listening socket."""
    async def find(request: Request) -> InstanceAssignment | None:
        return lookup(network_id, request.getClientAddress().host)

    return find


def _peer(request: Request) -> str:
    return str(getattr(request.getClientAddress(), "host", "unknown"))
