"""The APIs: thin faces over ``core``."""
