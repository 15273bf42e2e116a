"""The schema's versions: upgrade a database, or ask which version it has. ``stackd db`` and the daemons call it.

``make migration NAME=words`` writes the next migration from what the tables say now: :func:`draft`.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from stackd.store.database import make_engine

SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Bring the database to the newest version; nothing happens when it is there already."""
    engine = make_engine(url, pool_size=1)
    config = alembic_config()
    try:
        with engine.connect().execution_options(stackd_write=True) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def version(url: str) -> str | None:
    """The version the database has; None when it has no schema of ours."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def newest() -> str | None:
    """The version this release needs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def draft(words: str) -> None:
    """Write the migration from the last version to the tables of the sources; read it before it is committed."""
    engine = make_engine("sqlite://")
    config = alembic_config()
    number = sum(1 for _ in ScriptDirectory.from_config(config).walk_revisions()) + 1
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.revision(config, words, autogenerate=True, rev_id=f"{number:04}")
    engine.dispose()


def alembic_config() -> Config:
    """Where alembic finds the migrations; no ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


if __name__ == "__main__":
    draft(" ".join(sys.argv[1:]))
