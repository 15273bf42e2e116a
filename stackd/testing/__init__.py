"""Shipped test support: contract suites, builders, the in-memory cloud, the saboteur, the demo guest image."""
