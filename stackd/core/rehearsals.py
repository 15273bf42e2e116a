"""Dry runs of use cases that have nothing to rehearse but the question whether the caller may.

EC2's DryRun asks it; use cases with more to check (launches, power actions) take ``dry_run`` themselves.
"""

from typing import NoReturn

from stackd import errors
from stackd.model.callers import Caller
from stackd.rules import policy


def rehearse(caller: Caller, role: str, action: str) -> NoReturn:
    """Raise ``NotAllowed`` unless the caller holds ``role``, else ``DryRunSucceeded``; ``action`` in words."""
    policy.demand(caller, role, action)
    raise errors.DryRunSucceeded("The request would have succeeded, but the dry run flag is set.")
