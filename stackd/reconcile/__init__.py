"""The collapsing, delayed work queue and the service that runs it."""
