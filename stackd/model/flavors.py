"""Flavors, called instance types by EC2."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Flavor:
    """A size of instance; ``id`` is any string of 1 to 255 characters, ``name`` the EC2 instance type."""

    id: str
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    public: bool = True
    extra_specs: Mapping[str, str] = field(factory=dict)
    description: str = ""
    created_at: float = 0.0
