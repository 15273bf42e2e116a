"""Errors of the database tell what went wrong, but not the values: they are logged."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from stackd.store.engines import make_engine


def test_an_error_does_not_quote_what_was_to_be_kept() -> None:
    """User data, hashes and sealed secrets are parameters of statements."""
    engine = make_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, secret TEXT UNIQUE)"))
        connection.execute(text("INSERT INTO kept (secret) VALUES (:secret)"), {"secret": "hunter2"})
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text("INSERT INTO kept (secret) VALUES (:secret)"), {"secret": "hunter2"})
    assert "UNIQUE" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    engine.dispose()
