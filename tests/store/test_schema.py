"""The schema's versions, as ``stackd db`` shows them."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from stackd.cli.main import main
from stackd.store import schema
from stackd.store.engines import make_engine
from stackd.store.tables.complete import complete_metadata


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that does not exist yet."""
    return f"sqlite:///{tmp_path}/stackd.db"


def test_an_upgraded_database_has_every_table_as_the_sources_say(url: str) -> None:
    """Nothing is forgotten in the migrations."""
    schema.upgrade(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, complete_metadata()) == []
    engine.dispose()


def test_upgrading_twice_changes_nothing(url: str) -> None:
    """A second call is harmless."""
    schema.upgrade(url)
    schema.upgrade(url)
    assert schema.version(url) == schema.newest() is not None


def test_a_database_of_a_later_release_is_used_as_it_is(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So that daemons of this release start while others are upgraded, and none takes it for an old one."""
    schema.upgrade(url)
    engine = make_engine(url)
    with engine.connect().execution_options(stackd_write=True) as connection, connection.begin():
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9000'")
    engine.dispose()
    schema.upgrade(url)
    assert schema.version(url) == "9000"
    assert main(["db", "version", "--url", url]) == 0
    assert capsys.readouterr().out == f"9000\nThat is of a later release; this one knows {schema.newest()}.\n"


def test_the_command_tells_the_version(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty database needs an upgrade; afterwards both agree."""
    assert main(["db", "version", "--url", url]) == 1
    assert capsys.readouterr().out.startswith("empty\n")
    assert main(["db", "upgrade", "--url", url]) == 0
    assert capsys.readouterr().out.strip() == schema.newest()
    assert main(["db", "version", "--url", url]) == 0
