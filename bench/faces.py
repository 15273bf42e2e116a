"""The two APIs as the bench uses them: launch one, ask for its status, list a page."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.wire import Answer, Connection

VERSION = "2016-11-15"
PRESIGNED_SECONDS = 86400
FLAVOR = "t2.nano"
COMPUTE = "/compute/v2.1"
ACTIVE = {"ACTIVE", "running"}


F = TypeVar("F", bound="OpenStack | Ec2")


class Place(Protocol):
    """A running cloud."""

    base: int
    image: str

    def settings(self, file: str) -> dict[str, str]:
        """What one of the clients' files of variables says."""


class WrongAnswer(Exception):
    """The cloud did not answer as expected."""


def checked(answer: Answer) -> Answer:
    """The answer, unless it is an error."""
    if answer.status >= 300:
        raise WrongAnswer(f"{answer.status}: {answer.body[:500]!r}")
    return answer


class OpenStack:
    """Compute v2.1 with a token that is got once."""

    name = "openstack"

    def __init__(self, subject: Place, connection: Connection) -> None:
        """:meth:`login` comes first."""
        self._profile = subject.settings("openrc")
        self._image = subject.image
        self._connection = connection
        self.token = ""
        self._headers: dict[str, str] = {}
        self._server = b""

    async def login(self) -> "OpenStack":
        """Get a token and the ids a launch names."""
        self.token = await self.issue_token()
        self._headers = {"X-Auth-Token": self.token, "Content-Type": "application/json"}
        image = self._image or json.loads((await self.get("/image/v2/images")).body)["images"][0]["id"]
        flavors = json.loads((await self.get(f"{COMPUTE}/flavors")).body)["flavors"]
        flavor = next(each["id"] for each in flavors if each["name"] == FLAVOR)
        self._server = json.dumps({"server": {"name": "bench", "imageRef": image,
                                              "flavorRef": flavor}}).encode()
        return self

    async def issue_token(self) -> str:
        """Log in with the password."""
        one = self._profile
        user = {"name": one["OS_USERNAME"], "password": one["OS_PASSWORD"], "domain": {"name": "Default"}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                         "scope": {"project": {"name": one["OS_PROJECT_NAME"], "domain": {"name": "Default"}}}}}
        answer = await self._connection.ask("POST", "/identity/v3/auth/tokens",
                                            {"Content-Type": "application/json"}, json.dumps(body).encode())
        return checked(answer).headers["x-subject-token"]

    async def check_token(self) -> None:
        """Have the token checked, as every service does."""
        checked(await self._connection.ask("GET", "/identity/v3/auth/tokens", {
            **self._headers, "X-Subject-Token": self.token}))

    async def get(self, path: str) -> Answer:
        """One authenticated GET."""
        return checked(await self._connection.ask("GET", path, self._headers))

    async def launch(self) -> str:
        """POST /servers."""
        answer = checked(await self._connection.ask("POST", f"{COMPUTE}/servers", self._headers, self._server))
        return str(json.loads(answer.body)["server"]["id"])

    async def status(self, id: str) -> str:
        """GET /servers/ID."""
        return str(json.loads((await self.get(f"{COMPUTE}/servers/{id}")).body)["server"]["status"])

    async def page(self, size: int) -> int:
        """GET /servers/detail."""
        answer = await self.get(f"{COMPUTE}/servers/detail?limit={size}")
        return answer.body.count(b'"accessIPv4"')


class Ec2:
    """EC2 by presigned requests: signing is the client's work, so it is done once for each."""

    name = "ec2"

    def __init__(self, subject: Place, connection: Connection) -> None:
        """:meth:`login` comes first."""
        settings = subject.settings("aws.env")
        self._connection = connection
        self._endpoint = settings["AWS_ENDPOINT_URL_EC2"]
        self._auth = SigV4QueryAuth(
            Credentials(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]), "ec2",
            settings["AWS_DEFAULT_REGION"], expires=PRESIGNED_SECONDS)
        self._image = ""
        self._signed: dict[str, str] = {}

    async def login(self, image: str = "") -> "Ec2":
        """Find the image, the only one where none is named."""
        named = {"Filter.1.Name": "name", "Filter.1.Value.1": image} if image else {}
        answer = await self.act("DescribeImages", **named)
        self._image = _first(rb"<imageId>([^<]+)", answer.body)
        return self

    async def act(self, action: str, **parameters: str) -> Answer:
        """One action."""
        query = urlencode({"Action": action, "Version": VERSION, **parameters})
        if query not in self._signed:
            self._signed[query] = self._sign(query)
        return checked(await self._connection.ask("GET", self._signed[query]))

    def _sign(self, query: str) -> str:
        request = AWSRequest("GET", f"{self._endpoint}/?{query}")
        self._auth.add_auth(request)
        parts = urlsplit(request.url)
        return f"{parts.path}?{parts.query}"

    async def launch(self) -> str:
        """RunInstances."""
        answer = await self.act("RunInstances", ImageId=self._image, InstanceType=FLAVOR, MinCount="1", MaxCount="1")
        return _first(rb"<instanceId>([^<]+)", answer.body)

    async def status(self, id: str) -> str:
        """DescribeInstances of one."""
        answer = await self.act("DescribeInstances", **{"InstanceId.1": id})
        return _first(rb"<instanceState><code>\d+</code><name>([^<]+)", answer.body)

    async def page(self, size: int) -> int:
        """DescribeInstances."""
        answer = await self.act("DescribeInstances", MaxResults=str(size))
        return answer.body.count(b"<instanceId>")


def _first(pattern: bytes, body: bytes) -> str:
    found = re.search(pattern, body)
    if found is None:
        raise WrongAnswer(f"{pattern!r} is not in {body[:500]!r}")
    return found[1].decode()


@asynccontextmanager
async def connected(kind: type[F], subject: Place) -> AsyncIterator[F]:
    """An API with a connection of its own, logged in."""
    async with Connection("127.0.0.1", subject.base + (1 if kind is OpenStack else 0)) as connection:
        api = kind(subject, connection)
        await api.login()
        yield api
