"""Core tables, one file per family of resources; ``base`` holds the metadata they share."""
