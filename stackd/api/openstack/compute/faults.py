"""Errors as Nova writes them: the table of all OpenStack APIs, with ids written as users know them."""

import re
from typing import Any

from stackd import errors
from stackd.api.openstack import faults
from stackd.model import ids, kinds

_DASHED = (kinds.INSTANCE, kinds.IMAGE, kinds.NETWORK, kinds.SUBNET, kinds.PORT, kinds.SECURITY_GROUP)
_ID = re.compile(r"\b[0-9a-f]{32}\b")


def render(error: errors.StackdError) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    status, name = faults.status_and_name(error)
    return status, {name: {"code": status, "message": written(error)}}


def written(error: errors.StackdError) -> str:
    """The words of an error, ids dashed."""
    if getattr(error, "kind", "") not in _DASHED:
        return str(error)
    return _ID.sub(lambda match: ids.dashed(match[0]), str(error))
