"""Contract suites: what every driver of an interface must pass, also those of third parties."""
