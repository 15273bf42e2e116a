"""The files clients read: ``clouds.yaml``, ``openrc`` and ``aws.env`` in the state folder, readable by the owner."""

from pathlib import Path

from stackd.config.sections import Config
from stackd.daemons.endpoints import ec2_url, public_url
from stackd.daemons.secretfiles import replacing
from stackd.model.identities import Tenancy


def write_client_files(folder: Path, config: Config, admin: Tenancy, demo: Tenancy, passwords: dict[str, str]) -> None:
    """Write all three; ``passwords`` by user name."""
    region, auth_url = config.cloud.region, f"{public_url(config)}/identity/v3"
    clouds = "clouds:\n" + _cloud("stackd", demo, passwords, auth_url, region) \
        + _cloud("stackd-admin", admin, passwords, auth_url, region)
    _write(folder / "clouds.yaml", clouds)
    _write(folder / "openrc", _exports({
        "OS_AUTH_URL": auth_url, "OS_USERNAME": demo.user.name, "OS_PASSWORD": passwords[demo.user.name],
        "OS_PROJECT_NAME": demo.project.name, "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": region, "OS_IDENTITY_API_VERSION": "3"}, export="export "))
    _write(folder / "aws.env", _exports({
        "AWS_ACCESS_KEY_ID": demo.key.access, "AWS_SECRET_ACCESS_KEY": demo.key.secret,
        "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL_EC2": ec2_url(config),
        "AWS_ENDPOINT_URL_STS": ec2_url(config)}))


def _cloud(name: str, tenancy: Tenancy, passwords: dict[str, str], auth_url: str, region: str) -> str:
    return (f"  {name}:\n"
            f"    auth:\n"
            f"      auth_url: {auth_url}\n"
            f"      username: {tenancy.user.name}\n"
            f"      password: {passwords[tenancy.user.name]}\n"
            f"      project_name: {tenancy.project.name}\n"
            f"      user_domain_name: Default\n"
            f"      project_domain_name: Default\n"
            f"    region_name: {region}\n"
            f"    identity_api_version: 3\n")


def _exports(values: dict[str, str], export: str = "") -> str:
    return "".join(f"{export}{name}={value}\n" for name, value in values.items())


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that nobody reads half of it."""
    with replacing(path) as file:
        file.write(text)
