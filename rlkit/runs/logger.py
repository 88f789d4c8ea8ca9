"""RunLogger: the only object that writes the results of a run."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from rlkit.runs.events import EventWriter
from rlkit.runs.folder import PROGRESS_FILE, STATUS_FILE
from rlkit.runs.progress_csv import ProgressCsv
from rlkit.util.errors import StopRequested
from rlkit.util.files import digest, write_arrays, write_json

if TYPE_CHECKING:
    from rlkit.core.evaluation import Adaptation
    from rlkit.core.rl_algorithm import Evaluation, IterationResult

LOGGER = logging.getLogger("pearl")
LOG_FILE = "debug.log"


Draw: TypeAlias = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""Pictures (height, width, 3) by name, of the arrays of `evaluation_arrays`."""
FINAL_COLUMNS = ("AverageReturn_all_test_tasks", "AverageReturn_all_train_tasks")


class Place(NamedTuple):
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
    """

    def __init__(
        self, folder: Path, *, dump_eval_paths: bool, draw: Draw | None = None, resume_at: Place | None = None
    ) -> None:
        """Open the files in `folder`.

        Args:
            folder: the run's.
            dump_eval_paths: whether to keep the trajectories of every evaluation.
            draw: makes tensorboard's pictures of an evaluation.
            resume_at: go on behind this place, cutting off what ran ahead of it.

        Raises:
            RunError: progress.csv does not hold the rows before the place.
        """
        self.folder = folder
        self._dump_eval_paths = dump_eval_paths
        self._draw = draw
        place = resume_at or Place()
        self._rows = ProgressCsv(folder / PROGRESS_FILE, place.csv_bytes, place.iterations)
        self._log_handler = _LogFile(folder / LOG_FILE, encoding="utf-8")
        self._log_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOGGER.addHandler(self._log_handler)
        LOGGER.setLevel(logging.DEBUG)
        self._tensorboard = EventWriter(folder, place.iterations or None)  # what it says goes to the log alone
        self._iterations = place.iterations

    @property
    def place(self) -> Place:
        """How far the files have come, on the disk when it is known: `resume_at` of a run that goes on from here."""
        return Place(self._rows.sync(), self._iterations, self._rows.checksum)

    def __enter__(self) -> RunLogger:
        """Mark the run as running."""
        self._write_status("running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files; the state is finished, interrupted or failed."""
        interrupted = kind is not None and issubclass(kind, StopRequested)
        state = "finished" if kind is None else "interrupted" if interrupted else "failed"
        if state == "failed":
            LOGGER.error("the run failed", exc_info=error)
        self._write_status(state)
        self._rows.close()
        self._tensorboard.close()
        LOGGER.removeHandler(self._log_handler)
        self._log_handler.close()

    def write(self, result: IterationResult) -> None:
        """Put an iteration on disk: its row is complete and flushed when this returns."""
        for name, value in self._rows.write(result.row).items():
            if value is not None:
                self._tensorboard.scalar(_tag(name), value, result.epoch)
        self._tensorboard.flush()
        if result.evaluation is not None:
            self._write_evaluation(result.epoch, evaluation_arrays(result.evaluation.test))
            if self._dump_eval_paths:
                self._write_paths(result.epoch, result.evaluation)
        self._iterations = result.number
        self._write_status("running")

    def write_hyperparameters(self, settings: Mapping[str, Any]) -> None:
        """Fill tensorboard's tab of hyperparameters: the run's settings beside its last returns."""
        shown = {
            key: value if isinstance(value, int | float | str) else str(value) for key, value in settings.items()
        }
        with (self.folder / PROGRESS_FILE).open(encoding="utf-8") as file:
            *_, last_row = csv.DictReader(file)
        returns = {f"final/{name}": float(last_row.get(name) or 0.0) for name in FINAL_COLUMNS}
        self._tensorboard.hyperparameters(shown, returns)

    def _write_evaluation(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        write_arrays(self.folder / "evaluation.npz", arrays)
        for name, picture in (self._draw(arrays) if self._draw is not None else {}).items():
            self._tensorboard.picture(f"evaluation/{name}", picture, number)

    def write_film(self, number: int, name: str, gif: bytes, width: int, height: int) -> None:
        """Show an animation among tensorboard's images."""
        self._tensorboard.film(f"evaluation/{name}", gif, (width, height), number)

    def dump(self, arrays: Mapping[str, np.ndarray]) -> Path:
        """Keep the inputs of a step that went wrong; returns the file."""
        path = self.folder / "nan_dump.npz"
        write_arrays(path, arrays)
        return path

    def _write_status(self, state: str) -> None:
        status = {"state": state, "iteration": self._iterations, "updated": time.time()}
        write_json(self.folder / STATUS_FILE, {**status, "sha256": digest(status)})

    def _write_paths(self, number: int, evaluation: Evaluation) -> None:
        """Trajectories of the evaluations: one file per iteration and task set."""
        folder = self.folder / "eval_paths"
        folder.mkdir(exist_ok=True)
        for name, adaptation in (("test", evaluation.test), ("train", evaluation.train)):
            write_arrays(folder / f"{name}_{number}.npz", eval_paths(adaptation))


def evaluation_arrays(adaptation: Adaptation) -> dict[str, np.ndarray]:
    """Tasks (lanes,), returns (lanes, trajectories), final posterior (lanes, latent) and planar observations.

    Observations (lanes, trajectories, steps + 1, 2) are there for environments on the plane only.
    """
    arrays: dict[str, np.ndarray] = {
        "tasks": adaptation.tasks,
        "returns": adaptation.returns,
        "z_mean": adaptation.z_mean,
        "z_var": adaptation.z_var,
    }
    if adaptation.rounds[0].paths.obs.shape[2] == 2:
        arrays["observations"] = _observations(adaptation)
    return arrays


def _observations(adaptation: Adaptation) -> np.ndarray:
    steps = max(round_.paths.obs.shape[1] for round_ in adaptation.rounds)
    obs_dim = adaptation.rounds[0].paths.obs.shape[2]
    observations = np.full((*adaptation.returns.shape, steps + 1, obs_dim), np.nan, dtype=np.float32)
    for number, runs, paths in adaptation.rounds:
        for row, run in enumerate(runs):
            length = paths.length[row]
            observations[run, number, :length] = paths.obs[row, :length]
            observations[run, number, length] = paths.next_obs[row, length - 1]
    return observations


def eval_paths(adaptation: Adaptation) -> dict[str, np.ndarray]:
    """All trajectories of an evaluation: `tasks`, `returns`, and a group of arrays for each number of trajectory.

    `roundR/number` is that number, `roundR/lanes` the runs that had so many; the other arrays have these runs first
    and are padded behind an episode's end (`length`).
    """
    arrays: dict[str, np.ndarray] = {"tasks": adaptation.tasks, "returns": adaptation.returns}
    for index, (number, runs, paths) in enumerate(adaptation.rounds):
        fields = {**paths._asdict(), **paths.terms, "number": np.array(number), "lanes": runs}
        kept = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        arrays |= {f"round{index}/{name}": value for name, value in kept.items()}
    return arrays


def _tag(column: str) -> str:
    """Tensorboard's group for a column of progress.csv."""
    if "Return" in column:
        group = "return"
    elif "(s)" in column:
        group = "time"
    elif column.startswith(("Z ", "KL ")):
        group = "belief"
    elif column.startswith("Number") or column == "Epoch":
        group = "count"
    elif "Loss" in column:
        group = "loss"
    else:
        group = "prediction"
    return f"{group}/{column}"
