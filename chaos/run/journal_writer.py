"""Appending to the journal: an entry is on the disk before what it announces is done."""

import os
import threading
from pathlib import Path
from typing import Self

from slo.evidence.journal import Entry


class JournalWriter:
    """Append-only JSONL at `path`; every entry is fsynced. Use as a context manager.

    Safe to share between threads.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("ab", buffering=0)
        _sync_directory(path.parent)

    def append(self, entry: Entry) -> None:
        line = entry.model_dump_json().encode() + b"\n"
        with self._lock:
            self._file.write(line)
            os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _sync_directory(path: Path) -> None:
    """So that the file's name survives a crash as well as its content."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
