"""The metadata service twice: in the routers of a host, and on the cloud's third port for a proxy with the secret."""

import os
import secrets
from pathlib import Path

from stackd import errors
from stackd.api.metadata.signed import SignedInstances
from stackd.core.identity_bootstrap import BOOTSTRAP
from stackd.daemons.parts import Parts
from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.network import IRouters
from stackd.model.assignments import InstanceAssignment
from stackd.workers.compute import ComputeWorker
from stackd.workers.metadata.hosting import host_metadata
from stackd.workers.metadata.listeners import MetadataListeners
from stackd.workers.metadata.web import MetadataResource
from stackd.workers.network import NetworkWorker

TOKENS_FILE = "metadata.tokens"
PROXY_FILE = "metadata.proxy"


def host_service(parts: Parts, routers: IRouters, network: NetworkWorker, compute: ComputeWorker,
                 assignments: IAssignments) -> MetadataListeners:
    """The service of one host, from what its workers know."""
    def lookup(network_id: str, address: str) -> InstanceAssignment | None:
        port = network.port_at(network_id, address)
        return compute.assignment(port.wiring.instance_id) if port is not None and port.wiring is not None else None

    async def user_data(instance_id: str) -> bytes:
        return await assignments.user_data(compute.host, instance_id)

    return host_metadata(reactor=parts.reactor, routers=routers, lookup=lookup, user_data=user_data,
                         region=parts.config.cloud.region, secret=kept_secret(parts.state / TOKENS_FILE))


def cloud_resource(parts: Parts) -> MetadataResource:
    """What the third port serves; the proxy's secret is in the state folder."""
    async def show(instance_id: str) -> InstanceAssignment | None:
        try:
            view = await parts.core.instances.get(BOOTSTRAP, instance_id)
        except errors.NotFound:
            return None
        return InstanceAssignment(instance=view.instance, ports=view.ports)

    async def user_data(instance_id: str) -> bytes:
        return await parts.core.instances.user_data(BOOTSTRAP, instance_id)

    find = SignedInstances(kept_secret(parts.state / PROXY_FILE), show).find
    return MetadataResource(find=find, user_data=user_data, region=parts.config.cloud.region,
                            secret=kept_secret(parts.state / TOKENS_FILE), clock=parts.reactor)


def kept_secret(path: Path) -> bytes:
    """The secret in a file, made when there is none, readable by the owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    return path.read_text().strip().encode()
