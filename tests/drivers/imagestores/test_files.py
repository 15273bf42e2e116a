"""The store of files passes the suite of all stores, and leaves a tidy folder whatever happens."""

import fcntl
import itertools
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred

from stackd import errors
from stackd.drivers.imagestores.files import FileImageStore
from stackd.testing.contracts.imagestore import ImageStoreContract, blocks_of, broken_after, gather

TOKENS = map(str, itertools.count())


def open_store(folder: Path) -> FileImageStore:
    return FileImageStore(folder, maybeDeferred, lambda: next(TOKENS))


class TestFileImageStore(ImageStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FileImageStore:
        self.folder = tmp_path / "images"
        return open_store(self.folder)

    def rebuilt(self, store: Any) -> Any:
        return open_store(self.folder)


def test_crash_leftovers_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".k.0.partial").write_bytes(b"half")
    (tmp_path / "whole").write_bytes(b"bytes")
    open_store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


@pytest_twisted.ensureDeferred
async def test_a_starting_store_leaves_the_uploads_of_another_process_alone(tmp_path: Path) -> None:
    gate: Deferred[None] = Deferred()

    async def slow() -> Any:
        yield b"first "
        await gate
        yield b"second"

    writing = ensureDeferred(open_store(tmp_path).write("k", slow()))
    other = open_store(tmp_path)
    assert await other.keys() == ()
    gate.callback(None)
    assert await writing == 12
    assert await gather(other.read("k")) == b"first second"


def test_an_upload_that_ends_while_another_process_starts_does_not_disturb_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [folder / ".k.0.partial"])
    open_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_bytes_swept_before_they_could_be_locked_are_kept_anew(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path)
    lock = fcntl.flock
    starts = [tmp_path]

    def late(descriptor: int, how: int) -> None:
        if starts:
            open_store(starts.pop())
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    await store.write("k", blocks_of(b"bytes"))
    assert await gather(store.read("k")) == b"bytes"


@pytest_twisted.ensureDeferred
async def test_broken_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        await open_store(tmp_path).write("k", broken_after(b"half"))
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_full_disk_is_told_in_words(tmp_path: Path) -> None:
    # /dev/full accepts an open and refuses every write with ENOSPC.
    def in_thread(fn: Any, *args: Any) -> Any:
        if fn.__name__ == "_write_all":
            with open("/dev/full", "wb", buffering=0) as full:
                return maybeDeferred(fn, full.fileno(), args[1])
        return maybeDeferred(fn, *args)

    store = FileImageStore(tmp_path, in_thread, lambda: "t")
    with pytest.raises(errors.TransientFailure, match="full"):
        await store.write("k", blocks_of(b"x"))
    assert await store.keys() == ()
