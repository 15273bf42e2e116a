"""Image services that are not in this process."""
