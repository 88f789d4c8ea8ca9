"""RunLock: one process at a time writes to a run's folder."""

from __future__ import annotations

import errno
import fcntl
import warnings
from pathlib import Path
from types import TracebackType

from rlkit.util.errors import UserError

LOCK_FILE = ".lock"
NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What `flock` answers on file systems that keep no locks, as some mounts of NFS and Lustre."""


class RunLock:
    """Held while a process runs an experiment; the system lets go of it when the process ends, however it ends.

    On a file system without locks it warns and holds nothing.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            UserError: another process has it.
        """
        self._file = (folder / LOCK_FILE).open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UserError(f"{folder} is in use: another process runs this experiment") from None
        except OSError as error:
            if error.errno not in NO_LOCKS_HERE:
                raise
            warnings.warn(
                f"{folder} is on a file system without locks: see that one process alone uses it", stacklevel=2
            )

    def __enter__(self) -> RunLock:
        """The lock is held already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def is_locked(folder: Path) -> bool:
    try:
        with (folder / LOCK_FILE).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such run yet, or no locks
        return False
    return False
