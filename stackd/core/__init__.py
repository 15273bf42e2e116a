"""The one cloud: use cases. One class per resource, one method per use case."""
