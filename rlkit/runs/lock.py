"""RunLock: one process at a time writes to a run's folder."""

from __future__ import annotations

import fcntl
from pathlib import Path
from types import TracebackType

from rlkit.util.errors import UserError

LOCK_FILE = ".lock"


class RunLock:
    """Held while a process runs an experiment; the system lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            UserError: another process has it.
        """
        self._file = (folder / LOCK_FILE).open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UserError(f"{folder} is in use: another process runs this experiment") from None

    def __enter__(self) -> RunLock:
        """The lock is held already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go."""
        self._file.close()
