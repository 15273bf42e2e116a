"""Providers of the interfaces: one folder per kind, one file per driver, found by entry points."""
