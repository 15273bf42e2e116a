"""Events: the one log of changes, written in the transaction that makes them."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Event:
    """One change of desired, placement, fault, reached generation or observed power.

    ``action`` is a neutral word (``create``, ``start``, ``stop``, ``reboot``, ``delete``, ``placed``,
    ``observed``, ``fault``...). ``actor`` is a user id or the name of a daemon. ``at`` in epoch seconds.
    """

    id: str
    at: float
    kind: str
    resource_id: str
    project_id: str
    action: str
    actor: str
    request_id: str
    generation: int = 0
    reason: str = ""
    before: Mapping[str, str] = field(factory=dict)
    after: Mapping[str, str] = field(factory=dict)
