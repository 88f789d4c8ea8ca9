"""Files that are either the old version or the whole new one, never half of it; reading JSON that may be damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def user_path(path: str | Path) -> Path:
    """A path as the user wrote it, with `~` expanded where no shell did."""
    return Path(os.path.expanduser(path))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new version of `path`; it takes the old one's place when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as indented JSON."""
    with replacing(path) as file:
        file.write((json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """A JSON file's content; None where it is missing, half written or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool = True) -> None:
    """Replace `path` by an npz of `arrays`, readable without pickle."""
    with replacing(path) as file:
        (np.savez_compressed if compress else np.savez)(file, allow_pickle=False, **arrays)
