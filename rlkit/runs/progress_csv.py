"""ProgressCsv: the file of a run's rows. A row is complete or not there, and a column may come at any iteration."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from rlkit.util.errors import RunError
from rlkit.util.files import naming, open_regular, replacing
from rlkit.util.records import is_term

Row = Mapping[str, float | None]
TERM_PREFIX = "Test "  # before what the environment tells beside the reward, in an evaluation's columns
EVALUATED = "AverageReturn_all_test_tasks"  # stands in the rows of iterations that were evaluated


class ProgressCsv:
    """Writes rows, and says how many bytes of the file are theirs.

    Where a row names columns that the file lacks, they are appended to all rows before: empty, or 0 where an
    evaluation did not meet a term that the environment tells. So the bytes depend on the rows alone, and those of an
    earlier row are got back by leaving the later columns out.
    """

    def __init__(self, path: Path, num_bytes: int = 0, num_rows: int = 0) -> None:
        """Begin a new file, or go on with one behind its first `num_rows` rows, when it had `num_bytes`.

        Raises:
            RunError: the file does not hold these rows.
        """
        self._path = path
        self._columns: list[str] = []
        if num_bytes:
            self._columns, before = find_rows(path, num_bytes, num_rows)
            if path.read_bytes() != before:  # rows, and maybe columns, came behind
                with replacing(path) as whole:
                    whole.write(before)
        self._file = path.open("a" if num_bytes else "w", newline="", encoding="utf-8")

    def sync(self) -> int:
        """Bring the file to the disk; returns its size."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    def write(self, row: Row) -> Row:
        """Write a row, flushed when this returns; returns it as written."""
        new = [name for name in row if name not in self._columns]
        filled = {**_unmet_terms(self._columns, row), **row}
        cells = [str(filled[name]) if filled.get(name) is not None else "" for name in [*self._columns, *new]]
        if new:
            self._widen(new, cells)
        else:
            with naming(self._path):
                self._file.write(_as_csv([cells]))
                self._file.flush()
        return filled

    def _widen(self, new: Sequence[str], last_row: Sequence[str]) -> None:
        """Put the file with `new` columns and one more row in place of itself."""
        with self._path.open(newline="", encoding="utf-8") as file:
            _, *rows = csv.reader(file) if self._columns else [[]]
        for row in rows:
            shown = {name: cell for name, cell in zip(self._columns, row, strict=True) if cell}
            terms = _unmet_terms(new, shown)
            row += [str(terms.get(name, "")) for name in new]
        self._columns += new
        self._file.close()
        with replacing(self._path) as whole:
            whole.write(_as_csv([self._columns, *rows, last_row]).encode())
        self._file = self._path.open("a", newline="", encoding="utf-8")

    def close(self) -> None:
        with naming(self._path):
            self._file.close()


def _unmet_terms(columns: Iterable[str], row: Mapping[str, object]) -> dict[str, float]:
    """Of `columns` those of terms, each 0, if `row` is of an evaluation."""
    if EVALUATED not in row:
        return {}
    return {name: 0.0 for name in columns if name.startswith(TERM_PREFIX) and is_term(name[len(TERM_PREFIX) :])}


def find_rows(path: Path, num_bytes: int, num_rows: int, sha256: str = "") -> tuple[list[str], bytes]:
    """Columns and content of a file as it was with its first rows; nothing is changed.

    Raises:
        RunError: it does not hold these rows, or they had another checksum, where one is given.
    """
    if num_bytes == 0:
        return [], b""
    try:
        with open_regular(path) as file:
            text = file.read().decode(errors="surrogateescape")
        rows = list(islice(csv.reader(io.StringIO(text, newline="")), num_rows + 1))
    except OSError as error:
        raise RunError(f"cannot go on with {path}: {error.strerror}") from None
    except csv.Error as error:
        raise RunError(f"cannot go on with {path}: it is damaged, {error}") from None
    for width in range(len(rows[0]) if rows else 0, 0, -1):
        before = _as_csv(row[:width] for row in rows).encode(errors="surrogateescape")
        if len(before) == num_bytes and sha256 in ("", hashlib.sha256(before).hexdigest()):
            return rows[0][:width], before
    raise RunError(f"cannot go on with {path}: it does not hold the rows that the checkpoint is about")


def _as_csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
