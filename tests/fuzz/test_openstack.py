"""Whatever is sent to an OpenStack API, the answer is good or a refusal in that API's own words."""

import json
from random import Random

import pytest

from tests.fuzz.mutations import ARGUMENTS, JUNK, SEGMENTS, bent, valid
from tests.fuzz.people import Belongings, Person
from tests.fuzz.surfaces import Route, check, routes

UNTOUCHED = {("identity", "DELETE", "/v3/users/<user_id>/credentials/OS-EC2/<access>")}
"""What would saw off the branch the suite sits on."""
ROUTES = tuple(route for route in routes() if (route.api, route.method, route.path) not in UNTOUCHED)
TOKENS: tuple[str | bytes, ...] = (
    "", "x", "gAAAAA" + "B" * 200, "x" * 8000, b"\xff\xfe", "\u00e9".encode("latin-1"), b"a\tb", "null", "a.b.c")


def filled(route: Route, random: Random, own: Belongings, victim: Belongings) -> str:
    """The route's path with an id or junk for each of its arguments."""
    path = route.path
    for name in route.arguments:
        choices = (*own.ids.values(), *victim.ids.values(), *SEGMENTS, "t2.nano", "default", "image")
        start, end = _argument(path, name)
        chosen = random.choice(choices) if not path[start:end].startswith("<any(") else _words(path[start:end], random)
        path = path[:start] + chosen.replace(" ", "%20") + path[end:]
    return f"/{route.api}{path}"


def _argument(path: str, name: str) -> tuple[int, int]:
    end = next(place for ending in (f":{name}>", f"<{name}>") if (place := path.find(ending)) >= 0)
    start = path.rfind("<", 0, end + 1)
    return start, path.index(">", end) + 1


def _words(pattern: str, random: Random) -> str:
    return random.choice(pattern[pattern.index("(") + 1:pattern.index(")")].split(",")).strip()


def named(route: Route) -> str:
    """A test's name."""
    return f"{route.method} {route.api}{route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_route(route: Route, attacker: Person, own: Belongings, victim: Belongings) -> None:
    """Junk in its path, query, token, headers and body."""
    random = Random(named(route))
    for turn in range(14 if route.schemas else 9):
        path = filled(route, random, own, victim)
        if route.method == "GET":
            path += "?" + random.choice(ARGUMENTS)
        body = _body(route, random, turn, (*own.ids.values(), *victim.ids.values()))
        token = attacker.token if turn else random.choice(TOKENS)
        answer = attacker.wire.send(route.method, path, token, body, _headers(random))
        check(route.api, route.method, f"{path} {body!r:.300}", answer)


def _body(route: Route, random: Random, turn: int, ids: tuple[str, ...]) -> bytes | None:
    if not route.schemas:
        return None if turn % 3 else b'{"a": '
    if turn < 4:
        return (b"", b"{", b"\xff\xfe\x00", b'{"a": "\\ud800"}')[turn]
    good = valid(random.choice(route.schemas), random, ids)
    return json.dumps(good if turn < 7 else bent(good, random)).encode()


def _headers(random: Random) -> dict[str, str | bytes]:
    return random.choice((
        {}, {}, {}, {"OpenStack-API-Version": "compute 2.60"}, {"OpenStack-API-Version": "compute 99.1"},
        {"OpenStack-API-Version": "compute \u0662.1".encode()}, {"X-OpenStack-Nova-API-Version": "2." + "9" * 5000},
        {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}, {"X-Subject-Token": b"\xff"},
        {"Content-Type": "application/octet-stream"}, {"Range": "bytes=" + "9" * 5000 + "-"}, {"Range": "bytes=9-1"},
        {"x-openstack-image-size": "9" * 5000}, {"Host": "evil.example/\"<x>"}, {"Host": b"\xff\xff"},
        {"Content-Type": "application/openstack-images-v2.1-json-patch"}, {"X-Forwarded-For": "127.0.0.1"},
        {"Accept": "text/html"}, {"Expect": "200-ok"}, {"Cookie": "a=\xff"}))


@pytest.mark.parametrize("api", ["compute/v2.1", "identity/v3", "image/v2", "network/v2.0"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "PUT", "PROPFIND", "get"])
def test_methods_nobody_has(api: str, method: str, attacker: Person) -> None:
    """On the root, on a collection and on nothing."""
    for path in ("", "/", "/servers", "/users", "/images", "/networks", "/nothing/at/all", "//", "/%00", "/%ff"):
        answer = attacker.wire.send(method, f"/{api}{path}", attacker.token)
        check(api.partition("/")[0], method, f"/{api}{path}", answer)


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/computers/v2.1", "/.git/config", "/%00", "/%ff",
                                  "/identity%2fv3"])
def test_paths_of_no_api(path: str, attacker: Person) -> None:
    """Are not found, in JSON."""
    answer = attacker.wire.send("GET", path, attacker.token)
    assert answer.status in (300, 404)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("junk", range(len(JUNK)))
def test_logins(junk: int, attacker: Person) -> None:
    """Anyone may send a login, and anything in it."""
    user = {"name": "demo", "domain": {"id": "default"}, "password": "wrong"}
    login = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {"id": "x"}}}
    for bend in ({"auth": JUNK[junk]}, {"auth": {**login, "scope": JUNK[junk]}},
                 {"auth": {"identity": {"methods": ["token"], "token": {"id": JUNK[junk]}}}},
                 *({"auth": {"identity": {"methods": ["password"], "password": {"user": {**user, name: JUNK[junk]}}}}}
                   for name in ("name", "id", "password"))):
        answer = attacker.wire.send("POST", "/identity/v3/auth/tokens", body=json.dumps(bend).encode())
        check("identity", "POST", json.dumps(bend)[:300], answer)
        assert answer.status in (400, 401, 413)


def test_what_is_too_large_is_refused_before_it_is_kept(attacker: Person) -> None:
    """A body without end, by length and by chunks, with and without a token."""
    for path in ("/identity/v3/auth/tokens", "/compute/v2.1/servers", "/network/v2.0/networks", "/image/v2/images"):
        answer = attacker.wire.send("POST", path, attacker.token, b'{"a": "' + b"x" * (3 << 20))
        check(path.split("/")[1], "POST", path, answer)
        assert answer.status == 413
        attacker.wire.close()
