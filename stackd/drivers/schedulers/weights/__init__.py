"""Weights: one score per file, higher is better. Each has ``weigh(request, host)`` between 0 and 1."""
