"""Answers against tempest's response schemas, which allow nothing missing and nothing more.

tempest keeps one module per microversion that changed a resource; each holds until the next.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import jsonschema
import pytest
from tempest.lib.api_schema.response import compute  # type: ignore[import-untyped]
from tempest.lib.common import jsonschema_validator as validator  # type: ignore[import-untyped]

from stackd.api.openstack.compute.microversions import HIGHEST, Version
from tests.api.openstack.compute.conftest import Answered, Nova

PACKAGE = compute.__name__
# Where something changed for a resource that we have, and the ends.
VERSIONS: tuple[Version, ...] = tuple((2, minor) for minor in (
    1, 2, 3, 9, 11, 16, 19, 26, 28, 33, 35, 36, 39, 45, 47, 51, 53, 54, 55, 57, 58, 61, 62, 63, 70, 71, 73, HIGHEST[1]))


@cache
def modules(name: str) -> dict[Version, Any]:
    """The modules of a resource by the version that brought them."""
    found = {}
    for package in iter_modules(compute.__path__, f"{PACKAGE}."):
        major, minor = map(int, package.name.rpartition(".v")[2].split("_"))
        if any(module.name == name for module in iter_modules(import_module(package.name).__path__)):
            found[major, minor] = import_module(f"{package.name}.{name}")
    return found


def schema_of(resource: str, name: str, version: Version) -> dict[str, Any]:
    """The schema that holds for a version."""
    found = modules(resource)
    newest = max(since for since in found if since <= version and hasattr(found[since], name))
    schema: dict[str, Any] = getattr(found[newest], name)
    return schema


def check(resource: str, name: str, version: Version, answer: Answered) -> None:
    """The status and the body are what tempest expects."""
    schema = schema_of(resource, name, version)
    assert answer.status in schema["status_code"], answer
    if "response_body" in schema:
        jsonschema.validate(answer.body, schema["response_body"], cls=validator.JSONSCHEMA_VALIDATOR,
                            format_checker=validator.FORMAT_CHECKER)


class Asker:
    """Asks at one version and checks."""

    def __init__(self, nova: Nova, version: Version) -> None:
        """Everything is asked at this version."""
        self.nova = nova
        self.version = version

    def __call__(self, resource: str, name: str, method: str, path: str, body: Any = None,
                 who: str = "member") -> Any:
        """The body of an answer that is as it must be."""
        answer = self.nova.ask(method, path, body, who, f"{self.version[0]}.{self.version[1]}")
        check(resource, name, self.version, answer)
        return answer.body


@pytest.fixture(scope="module")
def cloud() -> Nova:
    """One for all versions: only shapes matter here."""
    return Nova()


@pytest.fixture(params=VERSIONS, ids=lambda version: f"{version[0]}.{version[1]}")
def ask(request: pytest.FixtureRequest, cloud: Nova) -> Asker:
    """Asks at each of the versions."""
    return Asker(cloud, request.param)


def test_servers(ask: Asker) -> None:
    """All that is asked of servers, for users and admins."""
    made = ask("servers", "create_server_with_admin_pass", "POST", "/servers", {"server": ask.nova.wanted(
        metadata={"a": "b"}, user_data="aGVsbG8=")
        if ask.version >= (2, 37) else {**ask.nova.wanted(user_data="aGVsbG8="), "networks": []}})["server"]
    ask.nova.settle(made["id"], "ACTIVE")
    path = f"/servers/{made['id']}"
    for who in ("member", "admin"):
        ask("servers", "get_server", "GET", path, who=who)
        ask("servers", "list_servers_detail", "GET", "/servers/detail?limit=1&all_tenants=" + str(who == "admin"),
            who=who)
        ask("servers", "list_servers", "GET", "/servers?limit=1", who=who)
        ask("servers", "update_server", "PUT", path, {"server": {"name": f"named-by-{who}"}}, who=who)
        actions = ask("servers", "list_instance_actions", "GET", f"{path}/os-instance-actions", who=who)
        request_id = actions["instanceActions"][-1]["request_id"]
        ask("servers", "show_instance_action", "GET", f"{path}/os-instance-actions/{request_id}", who=who)
    ask("servers", "server_actions_common_schema", "POST", f"{path}/action", {"os-stop": None})
    ask("servers", "delete_server", "DELETE", path)


def test_parts_of_servers(ask: Asker) -> None:
    """Metadata, addresses, interfaces, groups, console, tags."""
    path = f"/servers/{ask.nova.running()}"
    ask("servers", "set_server_metadata", "PUT", f"{path}/metadata", {"metadata": {"a": "b"}})
    ask("servers", "update_server_metadata", "POST", f"{path}/metadata", {"metadata": {"c": "d"}})
    ask("servers", "list_server_metadata", "GET", f"{path}/metadata")
    ask("servers", "set_show_server_metadata_item", "PUT", f"{path}/metadata/a", {"meta": {"a": "e"}})
    ask("servers", "set_show_server_metadata_item", "GET", f"{path}/metadata/a")
    ask("servers", "delete_server_metadata_item", "DELETE", f"{path}/metadata/a")
    ask("servers", "list_addresses", "GET", f"{path}/ips")
    ask("servers", "list_addresses_by_network", "GET", f"{path}/ips/default")
    ask("servers", "get_console_output", "POST", f"{path}/action", {"os-getConsoleOutput": {"length": 2}})
    interface = ask("interfaces", "list_interfaces", "GET", f"{path}/os-interface")["interfaceAttachments"][0]
    ask("interfaces", "get_create_interfaces", "GET", f"{path}/os-interface/{interface['port_id']}")
    ask("security_groups", "list_security_groups", "GET", f"{path}/os-security-groups")
    if ask.version >= (2, 26):
        ask("servers", "update_all_tags", "PUT", f"{path}/tags", {"tags": ["x", "y"]})
        ask("servers", "list_tags", "GET", f"{path}/tags")
        ask("servers", "check_tag_existence", "GET", f"{path}/tags/x")
        ask("servers", "update_tag", "PUT", f"{path}/tags/z")
        ask("servers", "delete_tag", "DELETE", f"{path}/tags/z")
        ask("servers", "delete_all_tags", "DELETE", f"{path}/tags")


def test_flavors_and_keys(ask: Asker) -> None:
    """What users choose from and bring along."""
    ask("flavors", "list_flavors", "GET", "/flavors?limit=2")
    ask("flavors", "list_flavors_details", "GET", "/flavors/detail?limit=2")
    ask("flavors", "create_update_get_flavor_details", "GET", "/flavors/t2.nano")
    ask("flavors_extra_specs", "set_get_flavor_extra_specs", "GET", "/flavors/t2.nano/os-extra_specs")
    body = {"name": "own", "ram": 128, "vcpus": 1, "disk": 0}
    made = ask("flavors", "create_update_get_flavor_details", "POST", "/flavors", {"flavor": body}, "admin")
    ask("flavors", "delete_flavor", "DELETE", f"/flavors/{made['flavor']['id']}", who="admin")
    ask("keypairs", "create_keypair", "POST", "/os-keypairs", {"keypair": {"name": "k"}})
    ask("keypairs", "list_keypairs", "GET", "/os-keypairs")
    ask("keypairs", "get_keypair", "GET", "/os-keypairs/k")
    ask("keypairs", "delete_keypair", "DELETE", "/os-keypairs/k")


def test_what_operators_see(ask: Asker) -> None:
    """Zones, limits, quotas, services, hypervisors, extensions."""
    project = ask.nova.cloud.caller.project_id
    ask("availability_zone", "list_availability_zone_list", "GET", "/os-availability-zone")
    ask("availability_zone", "list_availability_zone_list_detail", "GET", "/os-availability-zone/detail", who="admin")
    ask("limits", "get_limit", "GET", "/limits")
    ask("quotas", "get_quota_set", "GET", f"/os-quota-sets/{project}")
    ask("quotas", "get_quota_set", "GET", f"/os-quota-sets/{project}/defaults")
    ask("quotas", "get_quota_set_details", "GET", f"/os-quota-sets/{project}/detail")
    other = ask.nova.callers["stranger"].project_id
    ask("quotas", "update_quota_set", "PUT", f"/os-quota-sets/{other}", {"quota_set": {"cores": 30}}, "admin")
    ask("quotas", "delete_quota", "DELETE", f"/os-quota-sets/{other}", who="admin")
    ask("quota_classes", "get_quota_class_set", "GET", "/os-quota-class-sets/default")
    ask("services", "list_services", "GET", "/os-services", who="admin")
    ask("extensions", "list_extensions", "GET", "/extensions")
    ask("hypervisors", "list_hypervisors_detail", "GET", "/os-hypervisors/detail", who="admin")
    ask("hypervisors", "list_search_hypervisors", "GET", "/os-hypervisors", who="admin")
    ask("hypervisors", "get_hypervisor_statistics", "GET", "/os-hypervisors/statistics", who="admin")
