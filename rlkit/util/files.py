"""Files that are either the old version or the whole new one, never half of it; reading JSON that may be damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAX_JSON_BYTES = 1 << 26  # of a file that is no run's, at the latest


def user_path(path: str | Path) -> Path:
    """A path as the user wrote it, with `~` expanded where no shell did."""
    return Path(os.path.expanduser(path))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what the system says of writes within name the file: of a full disk it does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new version of `path`; it takes the old one's place when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with naming(path), temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder's files to the disk: a power cut may undo a rename that was not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON, whatever white space and order a file has it in."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as indented JSON."""
    with replacing(path) as file:
        file.write((json.dumps(value, indent=2) + "\n").encode())


def open_regular(path: Path) -> BinaryIO:
    """Open a file that a stranger may have put there: a regular one, itself or by a link within its own folder.

    Raises:
        OSError: there is none; nobody waits for the other end of a FIFO.
    """
    target = os.path.realpath(path)
    if not target.startswith(os.path.join(os.path.realpath(path.parent), "")):
        raise OSError(errno.EPERM, "a link to a file outside the folder", str(path))
    handle = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def read_json(path: Path) -> Any:
    """A JSON file's content; None where it is missing, damaged, not JSON or beyond MAX_JSON_BYTES."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_JSON_BYTES + 1)
        return json.loads(content, parse_constant=_refuse) if len(content) <= MAX_JSON_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    """Infinity and NaN are no JSON, though Python writes them."""
    raise ValueError(f"{constant} is no number")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool = True) -> None:
    """Replace `path` by an npz of `arrays`, readable without pickle."""
    with replacing(path) as file:
        (np.savez_compressed if compress else np.savez)(file, allow_pickle=False, **arrays)
