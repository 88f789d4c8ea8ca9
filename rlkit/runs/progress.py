"""One progress.csv, read as it grows: only new bytes are read again, only columns that are asked for become numbers.

A thousand files of 500 rows must open within a second or two, so cells are found with numpy and converted per column.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rlkit.util.files import open_regular
from rlkit.util.text import printable

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
COMMA, NEWLINE = ord(","), ord("\n")
FINGERPRINT_BYTES = 128  # compared before appending, so that a file written anew is noticed


class ProgressFile:
    """The rows of one progress.csv.

    A last line without its newline is still being written and is left out; so are rows with another number of cells
    than the header. Cells that are no number are nan.

    Attributes:
        columns: names in the order of the file; empty while there is no header.
        num_rows: complete rows read so far.
        problem: why nothing could be read, or "".
    """

    def __init__(self, path: Path, eager: Sequence[str] = ()) -> None:
        """A file, and the columns that will surely be asked for: those are read at the first go."""
        self.path = path
        self.eager = eager
        self._stamp: tuple[int, int, int] | None = None
        self._forget()

    def _forget(self) -> None:
        self.columns: list[str] = []
        self.num_rows = 0
        self.problem = ""
        self._start = self._stop = 0  # bytes of the rows: after the header, after the last complete line
        self._fingerprint = b""
        self._values: dict[str, FloatArray] = {}

    def refresh(self) -> bool:
        """Take in what was appended since the last call, or everything if the file is another one.

        Returns:
            Whether anything changed.
        """
        try:
            info = os.stat(self.path)
            stamp = (info.st_ino, info.st_size, info.st_mtime_ns)
            if stamp == self._stamp:
                return False
            before = self._stamp
            self._stamp = stamp
            if before is None or before[0] != info.st_ino or not self._read_new_rows():
                self._forget()
                self._read_new_rows()
        except OSError as error:
            unchanged = self._stamp is None and bool(self.problem)
            self._forget()
            self._stamp = None
            self.problem = f"{self.path.name}: {error.strerror}"
            return not unchanged
        return True

    def column(self, name: str) -> FloatArray:
        """The values of a column, (num_rows,); all nan if the file has no such column or can no longer be read."""
        if name not in self._values:
            self.load([name])
        return self._values[name]

    def load(self, names: Sequence[str]) -> None:
        """Read several columns in one go, so that `column` has them at hand."""
        missing = [name for name in names if name not in self._values]
        if not set(missing).isdisjoint(self.columns):
            num_rows, found = cut_columns(self._reread(), self.columns, missing)
            if num_rows == self.num_rows:
                self._values.update(found)
        for name in missing:
            self._values.setdefault(name, np.full(self.num_rows, np.nan))

    def _reread(self) -> bytes:
        try:
            with open_regular(self.path) as file:
                file.seek(self._start)
                return file.read(self._stop - self._start)
        except OSError:
            return b""

    def _read_new_rows(self) -> bool:
        """Read from the last known line on; False where the bytes before it are not those seen before."""
        with open_regular(self.path) as file:
            file.seek(self._stop - len(self._fingerprint))
            if file.read(len(self._fingerprint)) != self._fingerprint:
                return False
            if not self.columns and not self._take_header(file.readline()):
                return True
            chunk = file.read()
        if lines := chunk[: chunk.rfind(b"\n") + 1]:
            self._append(lines)
        return True

    def _take_header(self, line: bytes) -> bool:
        """Learn the columns from the first line; False while it is not complete, or if it names none."""
        if not line.endswith(b"\n"):
            return False
        names = _cells(line.decode("utf-8-sig", errors="replace").strip())
        if not any(names):
            self.problem = f"{self.path.name}: the first line names no columns"
            return False
        self.columns = [printable(name.strip()) for name in names]
        self._start = self._stop = len(line)
        self._fingerprint = line[-FINGERPRINT_BYTES:]
        return True

    def _append(self, lines: bytes) -> None:
        added, found = cut_columns(lines, self.columns, {*self._values, *self.eager})
        for name in {*self._values, *found}:
            before = self._values.get(name, np.empty(0))
            self._values[name] = np.concatenate([before, found.get(name, np.full(added, np.nan))])
        self.num_rows += added
        self._stop += len(lines)
        self._fingerprint = (self._fingerprint + lines[-FINGERPRINT_BYTES:])[-FINGERPRINT_BYTES:]


def cut_columns(lines: bytes, columns: Sequence[str], names: Collection[str]) -> tuple[int, dict[str, FloatArray]]:
    """Columns of complete csv lines.

    Args:
        lines: each ended by a newline, without the header.
        columns: what the cells of a row are; rows with another number of cells are left out.
        names: which columns to take, of those that there are.

    Returns:
        The number of rows, and a (rows,) array by name.
    """
    indices = {name: columns.index(name) for name in names if name in columns}
    ends = _regular_ends(lines, len(columns))
    if ends is None:
        text = lines.decode("utf-8", errors="replace").replace("\0", "")
        rows = [row for row in map(_cells, text.splitlines()) if len(row) == len(columns)]
        return len(rows), {name: _numbers(row[i] for row in rows) for name, i in indices.items()}
    starts = np.concatenate([[0], ends.ravel()[:-1] + 1]).reshape(ends.shape)
    bounds = {name: zip(starts[:, i].tolist(), ends[:, i].tolist(), strict=True) for name, i in indices.items()}
    return len(ends), {name: _numbers(lines[a:b] for a, b in places) for name, places in bounds.items()}


def _regular_ends(lines: bytes, width: int) -> IntArray | None:
    """Where each cell ends, (rows, width); None unless every line has `width` cells and none is quoted."""
    marks = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero((marks == COMMA) | (marks == NEWLINE))
    if b'"' in lines or len(ends) == 0 or len(ends) % width:
        return None
    table = ends.reshape(-1, width)
    is_line_end = marks[table] == NEWLINE
    return table if is_line_end[:, -1].all() and is_line_end.sum() == len(table) else None


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell of more than 128 KiB
        return []


def _numbers(cells: Iterable[bytes | str]) -> FloatArray:
    return np.array(list(map(_number, cells)), dtype=np.float64)


def _number(cell: bytes | str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
