"""RunLogger: the only object that writes the results of a run."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from rlkit.runs.evaluation import eval_paths, evaluation_arrays
from rlkit.runs.events import EventWriter
from rlkit.runs.folder import EVALUATION_FILE, PROGRESS_FILE, STATUS_FILE, RunFolder
from rlkit.runs.progress_csv import EVALUATED, ProgressCsv
from rlkit.util.errors import StopRequested
from rlkit.util.files import digest, write_arrays, write_json

if TYPE_CHECKING:
    from rlkit.core.rl_algorithm import Evaluation, IterationResult

LOGGER = logging.getLogger("pearl")
LOG_FILE = "debug.log"

Draw: TypeAlias = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""Pictures (height, width, 3) by name, of the arrays of `evaluation_arrays`."""
FINAL_COLUMNS = (EVALUATED, "AverageReturn_all_train_tasks")
GROUPS = {
    "return": "Return",
    "time": r"\(s\)",
    "belief": "^(Z|KL) ",
    "count": "^Number|^Epoch$",
    "loss": "Loss",
}
"""Tensorboard's groups, each with what the names of its columns have in them; the first that fits counts."""


class Position(NamedTuple):
    """How far the files of a run have come."""

    csv_bytes: int = 0
    iterations: int = 0
    csv_sha256: str = ""  # of these bytes; empty in checkpoints of earlier versions


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A line that the disk does not take is lost; logging would print its traceback."""


class RunLogger:
    """progress.csv, tensorboard events, debug.log, status.json and evaluation arrays of one run.

    Use it as a context manager: leaving the block closes the files and writes the run's final state.

    Attributes:
        tensorboard: for what else is to be seen there.
    """

    def __init__(
        self, folder: Path, *, dump_eval_paths: bool, draw: Draw | None = None, resume_at: Position | None = None
    ) -> None:
        """Open the files in `folder`, to go on behind `resume_at` and cut off what ran ahead of it.

        Every evaluation's trajectories are kept with `dump_eval_paths`; `draw` makes tensorboard's pictures of it.

        Raises:
            RunError: progress.csv does not hold the rows before it.
        """
        self.folder = folder
        self._dump_eval_paths = dump_eval_paths
        self._draw = draw
        position = resume_at or Position()
        self._iterations = position.iterations
        with ExitStack() as files:
            self._rows = files.enter_context(
                closing(ProgressCsv(folder / PROGRESS_FILE, position.csv_bytes, position.iterations))
            )
            log = files.enter_context(closing(_LogFile(folder / LOG_FILE, encoding="utf-8")))
            log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            LOGGER.addHandler(log)
            files.callback(LOGGER.removeHandler, log)
            LOGGER.setLevel(logging.DEBUG)
            # what it says goes to the log alone
            self.tensorboard = files.enter_context(closing(EventWriter(folder, position.iterations or None)))
            self._files = files.pop_all()

    @property
    def position(self) -> Position:
        """How far the files have come, on the disk when it is known: `resume_at` of a run that goes on from here."""
        return Position(self._rows.sync(), self._iterations, self._rows.checksum)

    def __enter__(self) -> RunLogger:
        with ExitStack() as files:
            files.push(self._files)
            self._write_status("running")
            files.pop_all()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the files; the state is finished, interrupted or failed."""
        state = "interrupted" if isinstance(error, StopRequested) else "finished" if error is None else "failed"
        if state == "failed":
            LOGGER.error("the run failed", exc_info=error)
        with self._files:
            self._write_status(state)

    def write(self, result: IterationResult) -> None:
        """Put an iteration on disk: its row is complete and flushed when this returns."""
        for name, value in self._rows.write(result.row).items():
            if value is not None:
                self.tensorboard.scalar(_tag(name), value, result.epoch)
        self.tensorboard.flush()
        if result.evaluation is not None:
            self._write_evaluation(result.epoch, result.evaluation)
        self._iterations = result.number
        self._write_status("running")

    def write_hyperparameters(self, settings: Mapping[str, Any]) -> None:
        """Fill tensorboard's tab of hyperparameters: the run's settings beside its last returns."""
        shown = {
            key: value if isinstance(value, int | float | str) else str(value) for key, value in settings.items()
        }
        last_row = RunFolder(self.folder).rows()[-1]
        returns = {f"final/{name}": last_row.get(name, 0.0) for name in FINAL_COLUMNS}
        self.tensorboard.hyperparameters(shown, returns)

    def _write_evaluation(self, number: int, evaluation: Evaluation) -> None:
        arrays = evaluation_arrays(evaluation.test)
        write_arrays(self.folder / EVALUATION_FILE, arrays)
        for name, picture in (self._draw(arrays) if self._draw is not None else {}).items():
            self.tensorboard.picture(f"evaluation/{name}", picture, number)
        if self._dump_eval_paths:  # one file per iteration and task set
            folder = self.folder / "eval_paths"
            folder.mkdir(exist_ok=True)
            write_arrays(folder / f"test_{number}.npz", eval_paths(evaluation.test))
            write_arrays(folder / f"train_{number}.npz", eval_paths(evaluation.train))

    def dump(self, arrays: Mapping[str, np.ndarray]) -> Path:
        """Keep the inputs of a step that went wrong; returns the file."""
        path = self.folder / "nan_dump.npz"
        write_arrays(path, arrays)
        return path

    def _write_status(self, state: str) -> None:
        status = {"state": state, "iteration": self._iterations, "updated": time.time()}
        write_json(self.folder / STATUS_FILE, {**status, "sha256": digest(status)})


def _tag(column: str) -> str:
    group = next((group for group, pattern in GROUPS.items() if re.search(pattern, column)), "prediction")
    return f"{group}/{column}"
