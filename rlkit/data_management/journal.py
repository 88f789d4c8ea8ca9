"""Journal: an append-only file of what was collected, from which the buffers are filled again."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlkit.util.errors import RunError
from rlkit.util.files import naming
from rlkit.util.records import FloatArray, IndexArray

HASHED_AT_A_TIME = 2**22


class Entry(NamedTuple):
    """One event: paths that were added, or tasks whose context was cleared (no rows)."""

    task: IndexArray
    length: IndexArray  # (paths,), empty where context was cleared
    rows: FloatArray  # (transitions, width), likewise
    as_context: bool


class Mark(NamedTuple):
    """A place in the journal: what lies before it is complete and has this checksum."""

    num_bytes: int = 0
    sha256: str = hashlib.sha256().hexdigest()


class Journal:
    """Writes entries one after the other as plain arrays (npy, no pickle); a crash costs what is behind the mark."""

    def __init__(self, path: Path, mark: Mark | None = None) -> None:
        """Begin a new journal, or go on behind `mark` of an old one; what lies behind it is cut off."""
        self._path = path
        self._hash = hashlib.sha256() if mark is None else _verified(path, mark)
        self._file = path.open("wb" if mark is None else "r+b")
        self._file.truncate(0 if mark is None else mark.num_bytes)
        self._file.seek(0, os.SEEK_END)

    def append(self, entry: Entry) -> None:
        """Write an entry; it is safe from `mark` on."""
        buffer = io.BytesIO()
        header = np.array([entry.as_context, len(entry.length)], dtype=np.int64)
        for array in (header, entry.task, entry.length, entry.rows):
            np.save(buffer, array, allow_pickle=False)
        data = buffer.getbuffer()
        self._hash.update(data)
        with naming(self._path):
            self._file.write(data)

    def mark(self) -> Mark:
        """Bring everything to the disk; returns the place reached."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return Mark(self._file.tell(), self._hash.hexdigest())


def read_journal(path: Path, mark: Mark) -> Iterator[Entry]:
    """The entries before `mark`, which must have been verified."""
    with path.open("rb") as file:
        while file.tell() < mark.num_bytes:
            header, task, length, rows = (np.load(file, allow_pickle=False) for _ in range(4))
            yield Entry(task, length, rows, bool(header[0]))


def _verified(path: Path, mark: Mark) -> hashlib._Hash:
    """The checksum's state at `mark`.

    Raises:
        RunError: the file is missing, shorter than the mark or changed.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            missing = mark.num_bytes
            while missing:
                data = file.read(min(missing, HASHED_AT_A_TIME))
                if not data:
                    raise RunError(f"{path} ends {missing} bytes too early")
                digest.update(data)
                missing -= len(data)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    if digest.hexdigest() != mark.sha256:
        raise RunError(f"{path} was changed: its checksum is another one")
    return digest
