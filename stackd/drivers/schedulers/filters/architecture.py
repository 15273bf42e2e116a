"""Hosts of another processor architecture than the image's are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "architecture"
PROPERTY = "architecture"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when the image names an architecture and it is not this host's."""
    wanted = request.image_properties.get(PROPERTY, "")
    if wanted in ("", host.capacity.architecture):
        return None
    return No(f"is {host.capacity.architecture}, the image is for {wanted}")
