"""Tags: a project's words on its resources, as EC2 has them."""

from attrs import frozen


@frozen(kw_only=True)
class Tag:
    """One key and value on one resource. Instances keep their tags as metadata, everything else as these."""

    resource_id: str
    kind: str
    """A word of ``kinds``."""
    project_id: str
    key: str
    value: str = ""
