"""The OpenStack APIs as the clients of chaos use them: plain requests with a token."""

import threading
from typing import Any
from urllib.parse import urlencode

import orjson
from attrs import evolve, frozen

from stackd.model import ids
from stackd.testing.chaos.asking import Answer, Outcome, ask

VERSION = "2.60"
FLAVOR = "1"
_ACTIONS: dict[str, dict[str, Any]] = {
    "stop": {"os-stop": None}, "start": {"os-start": None}, "reboot": {"reboot": {"type": "HARD"}},
    "soft-reboot": {"reboot": {"type": "SOFT"}},
}


@frozen(kw_only=True)
class Login:
    """Who we are, and where: ``url`` is that of all OpenStack APIs but ``images``."""

    url: str
    images: str
    user: str
    password: str
    project: str


class OpenStack:
    """One client; usable by many threads."""

    def __init__(self, login: Login) -> None:
        """Logs in with the first request."""
        self._login = login
        self._token = ""
        self._lock = threading.Lock()
        self._image = ""

    # --- requests ---

    def ask(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Answer:
        """One request, with a new token where the old one is not good any more."""
        answer = self._ask(method, path, body, raw)
        if answer.status == 401:
            self._token = ""
            answer = self._ask(method, path, body, raw)
        return answer

    def _ask(self, method: str, path: str, body: Any, raw: bytes | None) -> Answer:
        token = self._token or self._log_in()
        if not token:
            return Answer(outcome=Outcome.UNKNOWN, body=b"no token")
        headers = {"X-Auth-Token": token, "OpenStack-API-Version": f"compute {VERSION}",
                   "Content-Type": "application/octet-stream" if raw is not None else "application/json"}
        content = raw if raw is not None else b"" if body is None else orjson.dumps(body)
        url = self._login.images if path.startswith("/v2/images") else self._login.url
        return ask(method, url + path, content, headers)

    def _log_in(self) -> str:
        domain = {"name": "Default"}
        with self._lock:
            if not self._token:
                answer = ask("POST", f"{self._login.url}/identity/v3/auth/tokens", orjson.dumps({"auth": {
                    "identity": {"methods": ["password"], "password": {"user": {
                        "name": self._login.user, "domain": domain, "password": self._login.password}}},
                    "scope": {"project": {"name": self._login.project, "domain": domain}}}}),
                    {"Content-Type": "application/json"})
                self._token = answer.headers.get("x-subject-token", "")
            return self._token

    def read(self, path: str) -> Any:
        """The JSON of a GET; None when there was no answer."""
        answer = self.ask("GET", path)
        return orjson.loads(answer.body) if answer.accepted else None

    # --- images ---

    def upload(self, name: str, content: bytes) -> Answer:
        """An image of our own, to launch from."""
        made = self.ask("POST", "/v2/images", {
            "name": name, "disk_format": "raw", "container_format": "bare"})
        if not made.accepted:
            return made
        self._image = orjson.loads(made.body)["id"]
        return self.ask("PUT", f"/v2/images/{self._image}/file", raw=content)

    def find_image(self, name: str) -> bool:
        """Launch from the image of this name; whether there is one."""
        found = self.read(f"/v2/images?name={name}")
        self._image = found["images"][0]["id"] if found and found["images"] else ""
        return bool(self._image)

    @property
    def image(self) -> str:
        """The image of launches."""
        return self._image

    # --- instances ---

    def launch(self, name: str, least: int, most: int, group: str, token: str) -> tuple[Answer, list[str]]:
        """Launch; the ids. ``token`` is not for this API, whose clients look for the name."""
        answer = self.ask("POST", "/compute/v2.1/servers", {"server": {
            "name": name, "imageRef": self._image, "flavorRef": FLAVOR, "networks": "auto", "min_count": least,
            "max_count": most, "security_groups": [{"name": group}], "metadata": {"launch": token}}})
        if not answer.accepted:
            return answer, []
        found = self.named(name) if most > 1 else [orjson.loads(answer.body)["server"]["id"]]
        return (answer, found) if found else (evolve(answer, outcome=Outcome.UNKNOWN), [])

    def named(self, name: str) -> list[str] | None:
        """The ids of the instances of one launch, whose name begins no other's; None when there was no answer."""
        found = self.read("/compute/v2.1/servers?" + urlencode({"name": f"^{name}"}))
        return None if found is None else [server["id"] for server in found["servers"]]

    def act(self, verb: str, id: str) -> Answer:
        """``stop``, ``start``, ``reboot`` or ``terminate``."""
        if verb == "terminate":
            return self.ask("DELETE", f"/compute/v2.1/servers/{id}")
        return self.ask("POST", f"/compute/v2.1/servers/{id}/action", _ACTIONS[verb])

    def label(self, id: str, key: str, value: str) -> Answer:
        """Write a word of metadata, which EC2 calls a tag."""
        return self.ask("POST", f"/compute/v2.1/servers/{id}/metadata", {"metadata": {key: value}})

    def states(self) -> dict[str, str] | None:
        """Id -> status of all instances; None when there was no answer."""
        found = self.read("/compute/v2.1/servers/detail")
        return None if found is None else {server["id"]: server["status"] for server in found["servers"]}

    # --- groups ---

    def make_group(self, name: str) -> str | None:
        """A security group whose members reach each other, or the one that has the name already; its id.

        None when there was no answer.
        """
        found = self.read(f"/network/v2.0/security-groups?name={name}")
        if found is None:
            return None
        if found["security_groups"]:
            return str(found["security_groups"][0]["id"])
        made = self.ask("POST", "/network/v2.0/security-groups", {"security_group": {"name": name}})
        if not made.accepted:
            return None
        id = str(orjson.loads(made.body)["security_group"]["id"])
        self.ask("POST", "/network/v2.0/security-group-rules", {"security_group_rule": {
            "security_group_id": id, "direction": "ingress", "ethertype": "IPv4", "remote_group_id": id}})
        return id

    def permit(self, group: str, port: int) -> Answer:
        """Let a TCP port in."""
        return self.ask("POST", "/network/v2.0/security-group-rules", {"security_group_rule": {
            "security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
            "port_range_min": port, "port_range_max": port, "remote_ip_prefix": "0.0.0.0/0"}})

    def forbid(self, group: str, port: int) -> Answer:
        """Let it in no more."""
        found = self.read(f"/network/v2.0/security-group-rules?security_group_id={group}&port_range_min={port}")
        if found is None:
            return Answer(outcome=Outcome.UNKNOWN)
        for rule in found["security_group_rules"]:
            return self.ask("DELETE", f"/network/v2.0/security-group-rules/{rule['id']}")
        return Answer(outcome=Outcome.ACCEPTED)

    # --- floating addresses ---

    def allocate(self) -> tuple[Answer, str]:
        """A floating address; its id."""
        networks = self.read("/network/v2.0/networks?router:external=true")
        if not networks or not networks["networks"]:
            return Answer(outcome=Outcome.UNKNOWN), ""
        answer = self.ask("POST", "/network/v2.0/floatingips", {"floatingip": {
            "floating_network_id": networks["networks"][0]["id"]}})
        return answer, orjson.loads(answer.body)["floatingip"]["id"] if answer.accepted else ""

    def attach(self, address: str, id: str) -> Answer:
        """Lead the address to the instance's port."""
        found = self.read(f"/network/v2.0/ports?device_id={id}")
        if found is None:
            return Answer(outcome=Outcome.UNKNOWN)
        if not found["ports"]:
            return Answer(outcome=Outcome.REFUSED, body=b"it has no port")
        return self._lead(address, found["ports"][0]["id"])

    def detach(self, address: str) -> Answer:
        """Lead it nowhere."""
        return self._lead(address, None)

    def _lead(self, address: str, port: str | None) -> Answer:
        return self.ask("PUT", f"/network/v2.0/floatingips/{address}", {"floatingip": {"port_id": port}})

    def release(self, address: str) -> Answer:
        """Give it back; that it is gone already is as good."""
        answer = self.ask("DELETE", f"/network/v2.0/floatingips/{address}")
        return evolve(answer, outcome=Outcome.ACCEPTED) if answer.status == 404 else answer

    def addresses(self) -> list[str] | None:
        """The ids of all floating addresses; None when there was no answer."""
        found = self.read("/network/v2.0/floatingips")
        return None if found is None else [each["id"] for each in found["floatingips"]]


def short(id: str) -> str:
    """The digits that both APIs' ids of an instance, a group or an address have in common."""
    ec2 = ids.parse_ec2_id(id)
    return ec2[1] if ec2 else id.replace("-", "")[:ids.EC2_DIGITS]
