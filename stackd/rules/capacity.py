"""Words for a launch that found no host: which filter refused how many, and the nearest miss."""

from collections import Counter
from collections.abc import Sequence

from stackd.model.scheduling import Refusal


def no_capacity(refusals: Sequence[Refusal]) -> str:
    """The fault's text, for the user; host names stay out of it (tenants need not know them)."""
    if not refusals:
        return "No host could take the instance: the cloud has no hosts."
    counts = Counter(one.filter for one in refusals)
    total = sum(counts.values())
    most_first = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    parts = ", ".join(f"{name} refused {count}" for name, count in most_first)
    nearest = max(refusals, key=lambda one: (one.nearness, one.host))
    return (f"No host could take the instance: of {total} host{'s' if total != 1 else ''}, {parts}; "
            f"the nearest miss {nearest.reason}.")
