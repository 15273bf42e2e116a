"""The control plane's share of a real warm boot."""

from bench.figures import Figure


async def share() -> list[Figure]:
    """Nothing yet."""
    return []
