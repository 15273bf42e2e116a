"""How the two first users of a site are known to both APIs, from the files a cloud writes for its clients."""

from pathlib import Path

import orjson
from attrs import field, frozen

from stackd.daemons.passwords import FILE


@frozen(kw_only=True)
class Credentials:
    """One user: by name and password for OpenStack, and the user ``demo`` also by key for EC2."""

    user: str
    project: str
    password: str = field(repr=False)
    auth_url: str
    region: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


def read_credentials(state: Path, auth_url: str, user: str) -> Credentials:
    """Of ``admin`` or ``demo``, whose projects are called like them."""
    lines = (state / "aws.env").read_text().splitlines()
    keys = dict(line.split("=", 1) for line in lines) if user == "demo" else {}
    return Credentials(
        user=user, project=user, password=orjson.loads((state / FILE).read_bytes())[user], auth_url=auth_url,
        region=keys.get("AWS_DEFAULT_REGION", "us-east-1"), access_key=keys.get("AWS_ACCESS_KEY_ID", ""),
        secret_key=keys.get("AWS_SECRET_ACCESS_KEY", ""))
