"""The schema's versions, as ``stackd db`` shows them."""

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from stackd.cli.main import main
from stackd.store import schema
from stackd.store.engines import make_engine
from stackd.store.tables.complete import complete_metadata
from stackd.testing.ports import free_port


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that does not exist yet."""
    return f"sqlite:///{tmp_path}/stackd.db"


def file_of(url: str) -> Path:
    """Of this database."""
    return Path(url.removeprefix("sqlite:///"))


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
    """An empty database needs an upgrade; afterwards both agree. Asking makes no file."""
    assert main(["db", "version", "--url", url]) == 1
    assert capsys.readouterr().out == \
        f"empty\nThis release needs {schema.newest()}: run 'stackd db upgrade --url URL'.\n"
    assert not file_of(url).exists()
    assert main(["db", "upgrade", "--url", url]) == 0
    assert stat.S_IMODE(file_of(url).stat().st_mode) == 0o600
    assert capsys.readouterr().out.strip() == schema.newest()
    assert main(["db", "version", "--url", url]) == 0


def test_the_hint_names_the_file_it_was_asked_with(url: str, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "api.toml"
    config.write_text(f'[database]\nurl = "{url}"\n')
    assert main(["db", "version", "--config", str(config)]) == 1
    assert f"run 'stackd db upgrade --config {config}'" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["upgrade", "version", "restored"])
def test_no_database_is_taken_by_default(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be an empty one, and not the cloud's."""
    assert main(["db", action]) == 1
    assert "It is not said which database. Name it: --config FILE" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["upgrade", "version", "restored"])
def test_a_database_that_is_down_is_told_in_one_line(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", action, "--url", f"postgresql://a:hush@127.0.0.1:{free_port()}/b"]) == 1
    words = capsys.readouterr().err
    assert words.startswith("stackd: The database does not answer:") and "Start it" in words and "hush" not in words


def test_a_file_that_cannot_be_had_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--url", f"sqlite:///{tmp_path}/nowhere/stackd.db"]) == 1
    assert f"{tmp_path}/nowhere/stackd.db cannot be opened: No such file" in capsys.readouterr().err
