"""Network drivers: the wiring of one host."""
