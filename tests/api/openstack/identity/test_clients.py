"""The real clients against the identity API on a real port of this machine."""

from collections.abc import Callable, Iterator
from typing import Any

import openstack
import pytest
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.server import Site


@pytest.fixture
def url(keystone: Any) -> Iterator[str]:
    """Where the API listens."""
    port = reactor.listenTCP(0, Site(keystone.site), interface="127.0.0.1")  # type: ignore[attr-defined]
    yield f"http://127.0.0.1:{port.getHost().port}/identity"
    port.stopListening()


def admin_cloud(url: str) -> Any:
    """openstacksdk as an admin uses it."""
    return openstack.connect(auth_url=url, username="admin", password="admin-secret", project_name="admin",
                             user_domain_name="Default", project_domain_name="Default", region_name="us-east-1",
                             identity_endpoint_override=f"{url}/v3", load_yaml_config=False, load_envvars=False)


async def blocking(fn: Callable[..., Any], *arguments: Any) -> Any:
    """Run a blocking client in a thread while the API answers here."""
    return await deferToThread(fn, *arguments)


@ensureDeferred
@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
async def test_keystoneauth_logs_in_by_any_form_of_the_address(keystone: Any, url: str, suffix: str) -> None:
    auth = v3.Password(url + suffix, username="demo", password="demo-secret", project_name="demo",
                       user_domain_id="default", project_domain_id="default")

    def use() -> tuple[str, str]:
        client = session.Session(auth)
        return client.get_project_id(), client.get_endpoint(service_type="compute")

    project, compute = await blocking(use)
    assert project == keystone.made.demo.project.id and compute.endswith("/compute/v2.1")


@ensureDeferred
async def test_keystoneauth_says_unauthorized_for_a_wrong_password(keystone: Any, url: str) -> None:
    auth = v3.Password(url, username="demo", password="wrong", unscoped=True, user_domain_id="default")
    with pytest.raises(exceptions.Unauthorized):
        await blocking(session.Session(auth).get_token)


@ensureDeferred
async def test_openstacksdk_administers_tenants(keystone: Any, url: str) -> None:
    def use() -> None:
        cloud = admin_cloud(url)
        project = cloud.create_project("lab", domain_id="default", description="d")
        user = cloud.create_user(name="ann", password="ann-secret", default_project=project.id, domain_id="default")
        assert cloud.grant_role("member", user="ann", project="lab")
        assert cloud.get_project("lab").id == project.id and cloud.get_user("ann").id == user.id
        assert {role.name for role in cloud.identity.roles()} == {"admin", "member", "reader", "image-reader"}
        assert [service.type for service in cloud.identity.services()] == ["identity", "compute", "image", "network"]
        ann = session.Session(v3.Password(url, username="ann", password="ann-secret", project_name="lab",
                                          user_domain_id="default", project_domain_id="default"))
        assert ann.get_project_id() == project.id
        assert cloud.revoke_role("member", user="ann", project="lab")
        with pytest.raises(exceptions.Unauthorized):
            ann.invalidate()
            ann.get_project_id()
        assert cloud.delete_user("ann") and cloud.delete_project("lab")
        assert cloud.get_user("ann") is None

    await blocking(use)


@ensureDeferred
async def test_openstacksdk_makes_and_uses_an_application_credential(keystone: Any, url: str) -> None:
    def use() -> str:
        cloud = admin_cloud(url)
        made = cloud.identity.create_application_credential(cloud.current_user_id, "ci", roles=[{"name": "admin"}])
        auth = v3.ApplicationCredential(url, application_credential_id=made.id,
                                        application_credential_secret=made.secret)
        return str(session.Session(auth).get_project_id())

    assert await blocking(use) == keystone.made.admin.project.id
