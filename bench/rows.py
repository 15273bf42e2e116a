"""Very many instances that run, put into the database of a stopped cloud by the store's own functions."""

from bench.subject import Subject


def put(subject: Subject, count: int) -> None:
    """Nothing yet."""
