"""Who holds the role image-reader, as hosts do, reads every image and does nothing else anywhere."""

from typing import Any

import pytest

from tests.cloud.running import Running
from tests.fuzz.people import Belongings, Person, newcomer

IMAGES, SERVERS, NETWORK = "/image/v2/images", "/compute/v2.1/servers", "/network/v2.0"
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.fixture(scope="package")
def host(cloud: Running, admin: Person, theirs: Belongings) -> Person:
    """A host's user, in the very project that has something."""
    return newcomer(cloud, admin, "victim-host", "image-reader")


def test_it_reads_every_image(host: Person, theirs: Belongings, mine: Belongings) -> None:
    """Of its project and of others, bytes included."""
    for image in (theirs["image"], mine["image"]):
        assert host.ask("GET", f"{IMAGES}/{image}")["id"] == image
        answer = host.wire.send("GET", f"{IMAGES}/{image}/file", host.token)
        assert answer.status in (200, 204)
    listed = {image["id"] for image in host.ask("GET", f"{IMAGES}?visibility=all")["images"]}
    assert {theirs["image"], mine["image"]} <= listed


def test_it_changes_no_image(host: Person, theirs: Belongings, mine: Belongings) -> None:
    """Nor makes one, uploads, shares, deletes or switches."""
    assert host.refused("POST", IMAGES, {"name": "x", "disk_format": "raw", "container_format": "bare"}) == 403
    for image in (f"{IMAGES}/{theirs['image']}", f"{IMAGES}/{mine['image']}"):
        answers = [host.refused("DELETE", image), host.refused("PUT", f"{image}/tags/x"),
                   host.refused("POST", f"{image}/actions/deactivate"),
                   host.refused("POST", f"{image}/members", {"member": host.project_id}),
                   host.refused("PATCH", image, [{"op": "replace", "path": "/name", "value": "x"}], **PATCH),
                   host.refused("PUT", f"{image}/file", "x", **{"Content-Type": "application/octet-stream"})]
        assert set(answers) <= {403, 409}, answers
        assert host.ask("GET", image)["name"] != "x"


@pytest.mark.parametrize("path", [
    SERVERS, f"{SERVERS}/detail", "/compute/v2.1/os-keypairs", "/compute/v2.1/limits",
    "/compute/v2.1/os-hypervisors", "/compute/v2.1/os-services", "/compute/v2.1/os-availability-zone",
    f"{NETWORK}/networks", f"{NETWORK}/subnets", f"{NETWORK}/ports", f"{NETWORK}/security-groups",
    f"{NETWORK}/security-group-rules", f"{NETWORK}/floatingips", "/identity/v3/users", "/identity/v3/projects",
    "/identity/v3/roles", "/identity/v3/role_assignments"])
def test_it_lists_nothing_else(path: str, host: Person) -> None:
    """Not even of its own project."""
    assert host.refused("GET", path) == 403


def test_it_sees_nothing_else(host: Person, theirs: Belongings) -> None:
    """By id neither."""
    for path in (f"{SERVERS}/{theirs['server']}", f"{NETWORK}/networks/{theirs['network']}",
                 f"{NETWORK}/subnets/{theirs['subnet']}", f"{NETWORK}/ports/{theirs['port']}",
                 f"{NETWORK}/security-groups/{theirs['group']}", f"{NETWORK}/floatingips/{theirs['floating']}"):
        assert host.refused("GET", path) in (403, 404)
        assert host.refused("DELETE", path) in (403, 404)


@pytest.mark.parametrize(("path", "body"), [
    (SERVERS, {"server": {"name": "x", "imageRef": "0" * 32, "flavorRef": "t2.nano", "networks": "none"}}),
    ("/compute/v2.1/os-keypairs", {"keypair": {"name": "x"}}), (f"{NETWORK}/networks", {"network": {"name": "x"}}),
    (f"{NETWORK}/security-groups", {"security_group": {"name": "x"}}),
    ("/identity/v3/projects", {"project": {"name": "x"}}),
    ("/identity/v3/users", {"user": {"name": "x", "password": "a long enough one"}})])
def test_it_makes_nothing(path: str, body: dict[str, Any], host: Person) -> None:
    """Neither in the project nor beside it."""
    assert host.refused("POST", path, body) in (400, 403)


def test_what_leaks_does_not_breed(host: Person) -> None:
    """Neither keys nor application credentials, which would outlive its password."""
    user = f"/identity/v3/users/{host.user_id}"
    assert host.refused("POST", f"{user}/credentials/OS-EC2", {"tenant_id": host.project_id}) == 403
    assert host.refused("POST", f"{user}/application_credentials", {"application_credential": {"name": "x"}}) == 403
    assert host.refused("POST", f"{user}/password", {"user": {"original_password": "a password of a stranger",
                                                              "password": "another password"}}) == 403
