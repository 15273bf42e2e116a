"""Stock clients of a site: openstacksdk and boto3, as a user would make them."""

from typing import Any

import boto3
import openstack

from stackd.testing.lab.credentials import Credentials


def openstack_client(known: Credentials) -> Any:
    """An openstacksdk connection."""
    return openstack.connect(
        auth_url=known.auth_url, username=known.user, password=known.password, project_name=known.project,
        user_domain_name="Default", project_domain_name="Default", region_name=known.region)


def ec2_client(known: Credentials, url: str) -> Any:
    """A boto3 client of the EC2 API at ``url``."""
    return boto3.client("ec2", endpoint_url=url, region_name=known.region, aws_access_key_id=known.access_key,
                        aws_secret_access_key=known.secret_key)
