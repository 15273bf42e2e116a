"""Availability zones."""

from attrs import frozen


@frozen(kw_only=True)
class Zone:
    """A zone by name; available when at least one host of it takes placements."""

    name: str
    available: bool = True
