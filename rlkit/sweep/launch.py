"""One run of several: the launcher as a process of its own, so that a run that crashes hurts nothing beside it."""

from __future__ import annotations

import ctypes
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rlkit.launchers.runs import Run
from rlkit.runs.folder import PROGRESS_FILE, STATUS_FILE
from rlkit.runs.progress import ProgressFile
from rlkit.util.errors import EXIT_INTERRUPTED

POLL_SECONDS = 0.2
EXIT_STOPPED = (0, EXIT_INTERRUPTED)  # the launcher's codes after SIGTERM and SIGINT, when the run is not finished
PR_SET_PDEATHSIG = 1  # of Linux' prctl
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

State = Literal["waiting", "running", "finished", "stopped", "interrupted", "failed", "refused"]
"""Of a run: stopped is what a scheduler ended early; interrupted can be resumed; refused is what no config may be."""


class Outcome(NamedTuple):
    """How a run's process ended."""

    state: State
    message: str = ""
    was_killed: bool = False  # by a signal that was not sent from here: worth another try


class Row(NamedTuple):
    """What an iteration came to."""

    iteration: int
    value: float


def rows_with_value(progress: ProgressFile, metric: str) -> list[Row]:
    """The iterations of a progress.csv, as far as it was read, that have a value."""
    found = zip(progress.column("Epoch"), progress.column(metric), strict=True)
    return [
        Row(int(epoch) + 1, float(value)) for epoch, value in found if math.isfinite(epoch) and math.isfinite(value)
    ]


class Launch:
    """Takes a run on from where it is to its end.

    Attributes:
        iterations_before: how many were complete when the process started.
    """

    def __init__(
        self, run: Run, device: Sequence[str], metric: str, *, shows: bool, folder: Path | None = None
    ) -> None:
        """Nothing starts before the first look.

        Args:
            run, metric: what to take on, and the column that `rows` reads.
            device: the launcher's options for it.
            shows: whether the launcher's lines are shown, or left to debug.log.
            folder: to start the launcher in; None: here.
        """
        self._run, self._device, self._shows, self._cwd = run, device, shows, folder
        self._progress = ProgressFile(run.folder / PROGRESS_FILE, (metric, "Epoch"))
        self._metric = metric
        self._last_row = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as this object is
        self._is_stopped = False
        self.iterations_before = run.iterations

    def look(self) -> Outcome | None:
        """Start the process if there is none and nobody else's works on the run; None while it is under way."""
        if self._process is None:
            if self._is_stopped:
                return Outcome("interrupted")
            if self._run.is_running:
                return None  # an orphan of a worker that died saves itself
            if self._run.is_finished:
                return Outcome("finished")
            self._start()
        assert self._process is not None
        code = self._process.poll()
        return None if code is None else self._outcome(code)

    @property
    def has_begun(self) -> bool:
        """Whether the run's folder says that it runs, or ran."""
        return (self._run.folder / STATUS_FILE).exists()

    def rows(self) -> Iterator[Row]:
        """The iterations with a value that were not given yet."""
        self._progress.refresh()
        for row in rows_with_value(self._progress, self._metric):
            if row.iteration > self._last_row:
                self._last_row = row.iteration
                yield row

    def stop(self) -> None:
        """Ask the run to save itself and end."""
        self._is_stopped = True
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Stop, and wait until nothing of it runs."""
        self.stop()
        if self._process is not None:
            self._process.wait()
        self._errors.close()

    def _start(self) -> None:
        self.iterations_before = self._run.iterations
        self._process = subprocess.Popen(
            self._run.command(self._device),
            stdout=None if self._shows else subprocess.DEVNULL,
            stderr=None if self._shows else self._errors,
            cwd=self._cwd if self._cwd is not None and self._cwd.is_dir() else None,
            start_new_session=True,  # a terminal's Ctrl-C is for this program to pass on, once
            preexec_fn=_end_with_parent if LIBC is not None else None,
        )

    def _outcome(self, code: int) -> Outcome:
        if self._run.is_finished:
            return Outcome("finished")
        if self._is_stopped or code in EXIT_STOPPED:
            return Outcome("interrupted", "was told to stop", was_killed=not self._is_stopped)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return Outcome("failed", said or f"ended with exit code {code}", was_killed=code < 0)


def _end_with_parent() -> None:
    """In the new process: have the system send it SIGTERM when its parent dies, however that comes about."""
    assert LIBC is not None
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
