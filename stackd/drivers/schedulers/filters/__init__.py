"""Filters: one yes or no per file, a reason on no. Each has ``NAME`` and ``refuse(request, host)``."""
