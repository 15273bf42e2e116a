"""The users of a simulated cloud: many projects, launched into by a few clients at once through the OpenStack API.

Plain HTTP in threads: the clients people use cost more than the cloud does.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import orjson
from attrs import frozen

from stackd.testing.lab.credentials import Credentials
from stackd.testing.lab.site import Site

TIMEOUT = 120.0
SERVICE_UNAVAILABLE = 503
FLAVOR = "t2.nano"


class Client:
    """One connection to the API, kept; ``token`` is sent with each request."""

    def __init__(self, url: str, token: str = "") -> None:
        """Connects with the first request."""
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        self.token = token

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, Mapping[str, str]]:
        """Send JSON, or bytes as they are: the answer's body and headers; raises ``RuntimeError`` with an error."""
        whole = isinstance(body, bytes)
        headers = {"X-Auth-Token": self.token,
                   "Content-Type": "application/octet-stream" if whole else "application/json"}
        content = body if whole or body is None else orjson.dumps(body)
        give_up = time.monotonic() + TIMEOUT
        while True:
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
            raw = answer.read()
            # What a daemon cannot do while it looks for the broker it can in a moment, as the answer says.
            if answer.status != SERVICE_UNAVAILABLE or time.monotonic() > give_up:
                break
            time.sleep(0.5)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
        return (orjson.loads(raw) if raw else None), dict(answer.getheaders())

    def login(self, known: Credentials, project: Mapping[str, Any]) -> "Client":
        """Get a token for a project."""
        user = {"name": known.user, "password": known.password, "domain": {"name": "Default"}}
        _, headers = self.ask("POST", "/identity/v3/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}})
        self.token = next(value for name, value in headers.items() if name.lower() == "x-subject-token")
        return self


@frozen
class Crowd:
    """Tokens of many projects, and what a launch names."""

    urls: tuple[str, ...]
    tokens: tuple[str, ...]
    image: str
    flavor: str

    def launch(self, count: int, clients: int, at_once: int = 1) -> list[float]:
        """``count`` launches, ``at_once`` instances a request: the seconds of each answer."""
        left = iter(range(0, count, at_once))
        turns = cycle(self.tokens)
        taken: list[float] = []
        lock = threading.Lock()

        def work(url: str) -> None:
            client = Client(url)
            while (first := _next(left, lock)) is not None:
                with lock:
                    client.token = next(turns)
                began = time.monotonic()
                client.ask("POST", "/compute/v2.1/servers", self._request(min(at_once, count - first)))
                taken.append(time.monotonic() - began)

        _in_threads(work, [self.urls[number % len(self.urls)] for number in range(clients)])
        return taken

    def _request(self, number: int) -> dict[str, Any]:
        server = {"name": "simulated", "imageRef": self.image, "flavorRef": self.flavor, "max_count": number,
                  "min_count": 1}
        return {"server": server}


def gathered(site: Site, projects: int) -> Crowd:
    """Make so many projects with their networks and groups, and log in to each."""
    known = site.admin
    client = Client(site.api_url).login(known, {"name": known.project, "domain": {"name": "Default"}})
    me = client.ask("GET", "/identity/v3/users?name=admin")[0]["users"][0]["id"]
    role = next(one["id"] for one in client.ask("GET", "/identity/v3/roles")[0]["roles"] if one["name"] == "member")
    image = _upload(site, client.token)
    flavors = client.ask("GET", "/compute/v2.1/flavors")[0]["flavors"]
    tokens = []
    for number in range(projects):
        project = client.ask("POST", "/identity/v3/projects", {"project": {"name": f"simulated-{number}"}})[0]
        id = project["project"]["id"]
        client.ask("PUT", f"/identity/v3/projects/{id}/users/{me}/roles/{role}")
        tokens.append(Client(site.api_url).login(known, {"id": id}).token)
    return Crowd(urls=tuple(site.api_urls), tokens=tuple(tokens), image=image,
                 flavor=next(one["id"] for one in flavors if one["name"] == FLAVOR))


def _upload(site: Site, token: str) -> str:
    """An image all projects may use, which guests that are fake can be made of."""
    client = Client(site.image_url, token)
    image = client.ask("POST", "/image/v2/images", {
        "name": "simulated", "disk_format": "raw", "container_format": "bare", "visibility": "public"})[0]
    client.ask("PUT", f"/image/v2/images/{image['id']}/file", bytes(1024))
    return str(image["id"])


def _next(left: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(left, None)


def _in_threads(work: Callable[[str], None], urls: Sequence[str]) -> None:
    """``work`` with each of these at once; raises the first error."""
    failures: list[BaseException] = []

    def guarded(url: str) -> None:
        try:
            work(url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
