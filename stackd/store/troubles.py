"""What an error of the database means: whether it is worth another try, and of which kind. ``store.database`` asks.

Numbers and codes are those of PostgreSQL's appendix A, MariaDB's error list and sqlite's result codes.
"""

from enum import Enum

from sqlalchemy import exc


class Trouble(Enum):
    """Why a transaction failed."""

    RACE = "race"
    """Others were in the way: a deadlock, a serialization failure, a lock that was not given up in time."""

    CLASH = "clash"
    """A key that somebody else just took, or a row referred to that somebody else just deleted."""

    AWAY = "away"
    """The database is down, restarting, or cannot be reached."""

    UNFIT = "unfit"
    """A value that the database cannot keep."""

    OTHER = "other"
    """A mistake of ours."""


_STATES = {
    "40001": Trouble.RACE, "40P01": Trouble.RACE, "55P03": Trouble.RACE,
    "23505": Trouble.CLASH, "23503": Trouble.CLASH,
    # Shut down by its administrator, crashed, not up yet; full; left alone in a transaction for too long.
    "57P01": Trouble.AWAY, "57P02": Trouble.AWAY, "57P03": Trouble.AWAY, "53300": Trouble.AWAY, "25P03": Trouble.AWAY,
}
_NUMBERS = {
    1205: Trouble.RACE, 1213: Trouble.RACE, 1020: Trouble.RACE,
    1062: Trouble.CLASH, 1451: Trouble.CLASH, 1452: Trouble.CLASH,
    # No socket, refused, gone away, lost; shutting down, killed; full; not let in.
    2002: Trouble.AWAY, 2003: Trouble.AWAY, 2006: Trouble.AWAY, 2013: Trouble.AWAY, 1053: Trouble.AWAY,
    1927: Trouble.AWAY, 1040: Trouble.AWAY, 1203: Trouble.AWAY,
    1044: Trouble.AWAY, 1045: Trouble.AWAY, 1049: Trouble.AWAY, 1698: Trouble.AWAY,
}
_NAMES = {
    "SQLITE_CONSTRAINT_UNIQUE": Trouble.CLASH, "SQLITE_CONSTRAINT_PRIMARYKEY": Trouble.CLASH,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Trouble.CLASH, "SQLITE_BUSY": Trouble.AWAY, "SQLITE_LOCKED": Trouble.AWAY,
}


def trouble_of(error: exc.DBAPIError) -> Trouble:
    """What the error says of the transaction it ended."""
    if error.connection_invalidated:
        return Trouble.AWAY
    original = error.orig
    state, name = getattr(original, "sqlstate", None), getattr(original, "sqlite_errorname", None)
    if state is not None:
        found = Trouble.AWAY if state.startswith("08") else _STATES.get(state)
    elif name is not None:
        found = _NAMES.get(name)
    else:
        found = _unnamed(error, original)
    return found or (Trouble.UNFIT if isinstance(error, exc.DataError) else Trouble.OTHER)


def _unnamed(error: exc.DBAPIError, original: BaseException | None) -> Trouble | None:
    """MariaDB's errors have a number; PostgreSQL's driver cannot name those of a server it did not reach."""
    number = original.args[0] if original is not None and original.args else None
    if isinstance(number, int):
        return _NUMBERS.get(number)
    return Trouble.AWAY if isinstance(error, exc.OperationalError) else None
