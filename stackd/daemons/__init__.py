"""The daemons: wiring only; the one layer that imports the reactor."""
