"""Who attacks: tokens and keys of two projects of a running cloud, and the ids of what both have."""

import json
from functools import cached_property
from typing import Any

import boto3
import yaml

from tests.cloud.running import Running
from tests.fuzz.wire import Wire

PASSWORD = "a password of a stranger"


class Person:
    """A user with a token and an access key in one project."""

    def __init__(self, cloud: Running, name: str, password: str, project: str) -> None:
        """Log in."""
        self._base = cloud.base
        self.wire = Wire(cloud.base + 1)
        answer = self.wire.send("POST", "/identity/v3/auth/tokens", body=json.dumps({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": name, "domain": {"id": "default"}, "password": password}}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}).encode())
        assert answer.status == 201, answer
        self.token = answer.headers["x-subject-token"]
        view = answer.json()["token"]
        self.user_id, self.project_id = view["user"]["id"], view["project"]["id"]

    @cached_property
    def key(self) -> Any:
        """An access key, made when it is first needed."""
        return self.ask("POST", f"/identity/v3/users/{self.user_id}/credentials/OS-EC2",
                        {"tenant_id": self.project_id})["credential"]

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """The JSON of an answer that must be a good one."""
        headers = {"OpenStack-API-Version": f"compute {version}"} if version else {}
        answer = self.wire.send(method, path, self.token, None if body is None else json.dumps(body).encode(), headers)
        assert answer.status < 300, (method, path, answer)
        return answer.json() if answer.body else None

    def refused(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """The status of an answer that must be a refusal."""
        answer = self.wire.send(method, path, self.token, None if body is None else json.dumps(body).encode(), headers)
        assert 400 <= answer.status < 500, (method, path, answer)
        return answer.status

    def aws(self, service: str = "ec2") -> Any:
        """A client of boto3 with the key."""
        return boto3.client(service, region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{self._base}",
                            aws_access_key_id=self.key["access"], aws_secret_access_key=self.key["secret"])


def demo(cloud: Running, who: str = "stackd") -> Person:
    """The user of ``clouds.yaml``."""
    auth = yaml.safe_load((cloud.state / "clouds.yaml").read_text())["clouds"][who]["auth"]
    return Person(cloud, auth["username"], auth["password"], auth["project_name"])


def newcomer(cloud: Running, admin: Person, name: str, role: str = "member") -> Person:
    """A new user with a role in a new project, both of this name; an existing project is taken."""
    found = admin.ask("GET", f"/identity/v3/projects?name={name.partition('-')[0]}")["projects"]
    project = found[0] if found else admin.ask("POST", "/identity/v3/projects", {"project": {"name": name}})["project"]
    user = admin.ask("POST", "/identity/v3/users", {"user": {"name": name, "password": PASSWORD}})["user"]
    roles = {one["name"]: one["id"] for one in admin.ask("GET", "/identity/v3/roles")["roles"]}
    admin.ask("PUT", f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{roles[role]}")
    return Person(cloud, name, PASSWORD, project["name"])


class Belongings:
    """One of each kind of resource that a project can have."""

    def __init__(self, person: Person) -> None:
        """Make them all."""
        ask = person.ask
        network = ask("POST", "/network/v2.0/networks", {"network": {"name": "private"}})["network"]["id"]
        subnet = ask("POST", "/network/v2.0/subnets", {"subnet": {
            "network_id": network, "cidr": "10.9.0.0/24", "ip_version": 4}})["subnet"]["id"]
        port = ask("POST", "/network/v2.0/ports", {"port": {"network_id": network}})["port"]["id"]
        group = ask("POST", "/network/v2.0/security-groups", {"security_group": {"name": "mine"}})["security_group"]
        outside = ask("GET", "/network/v2.0/networks?router:external=true")["networks"][0]["id"]
        floating = ask("POST", "/network/v2.0/floatingips", {"floatingip": {"floating_network_id": outside}})
        image = ask("POST", "/image/v2/images", {
            "name": "mine", "disk_format": "raw", "container_format": "bare", "visibility": "private"})["id"]
        upload = person.wire.send("PUT", f"/image/v2/images/{image}/file", person.token, b"\0" * 4096,
                                  {"Content-Type": "application/octet-stream"})
        assert upload.status == 204, upload
        key = ask("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": f"key {person.user_id[:4]}"}})["keypair"]
        server = ask("POST", "/compute/v2.1/servers", {"server": {
            "name": "mine", "imageRef": image, "flavorRef": "t2.nano", "networks": [{"uuid": network}],
            "metadata": {"a": "b"}}})["server"]["id"]
        self.ids: dict[str, str] = {
            "server": server, "image": image, "network": network, "subnet": subnet, "port": port,
            "group": group["id"], "rule": group["security_group_rules"][0]["id"], "outside": outside,
            "floating": floating["floatingip"]["id"], "address": floating["floatingip"]["floating_ip_address"],
            "key": key["name"], "user": person.user_id, "project": person.project_id,
            "access": person.key["access"]}

    def __getitem__(self, name: str) -> str:
        """The id of one of them."""
        return self.ids[name]
