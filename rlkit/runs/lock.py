"""The lock of a run's folder: one process at a time writes there."""

from __future__ import annotations

import errno
import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlkit.util.errors import UserError

LOCK_FILE = ".lock"
NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What `flock` answers on file systems that keep no locks, as some mounts of NFS and Lustre."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock inside the block; the system lets go of it when the process ends, however it ends.

    On a file system without locks this warns and holds nothing.

    Raises:
        UserError: another process has it.
    """
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder} is in use: another process runs this experiment") from None
        except OSError as error:
            if error.errno not in NO_LOCKS_HERE:
                raise
            warnings.warn(
                f"{folder} is on a file system without locks: see that one process alone uses it", stacklevel=4
            )
        yield


def is_locked(folder: Path) -> bool:
    try:
        with (folder / LOCK_FILE).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such run yet, or no locks
        return False
    return False
