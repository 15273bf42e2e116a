"""The journal of a run: one JSON line for everything that was asked, done and found, and counts of them.

Written by all threads; read by :mod:`stackd.testing.chaos.telling` for the table at the end, and by people.
"""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """Lines in a file, each with its second since the beginning."""

    def __init__(self, path: Path) -> None:
        """The file is made anew."""
        self.path = path
        self.begun = time.monotonic()
        self.counts: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()
        self._file = path.open("wb", buffering=0)

    def note(self, kind: str, *words: str, **details: Any) -> None:
        """Count (kind, words) and write a line with the details."""
        line = {"s": round(time.monotonic() - self.begun, 3), "kind": kind, "words": words, **details}
        with self._lock:
            self.counts[kind, *words] += 1
            self._file.write(orjson.dumps(line, default=str) + b"\n")

    def of(self, kind: str) -> dict[tuple[str, ...], int]:
        """words -> how often, of one kind."""
        with self._lock:
            return {key[1:]: times for key, times in sorted(self.counts.items()) if key[0] == kind}

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
