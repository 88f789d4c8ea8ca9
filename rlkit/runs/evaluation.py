"""Evaluations on disk: what evaluation.npz and eval_paths/ hold, written and read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rlkit.util.files import open_regular

if TYPE_CHECKING:
    from rlkit.core.evaluation import Adaptation

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
MAX_BYTES = 1 << 30  # of unpacked arrays


@dataclass(frozen=True)
class Evaluation:
    """Adaptation on unseen tasks, one lane per task and repetition.

    Attributes:
        tasks: (lanes,) index of each lane's task.
        returns: (lanes, trajectories) return of each trajectory, nan where there were fewer.
        observations: (lanes, trajectories, steps + 1, 2) positions of a point robot, else None.
        z_mean, z_var: (lanes, latent) the last posterior; None where there is no information bottleneck.
    """

    tasks: IntArray
    returns: FloatArray
    observations: FloatArray | None = None
    z_mean: FloatArray | None = None
    z_var: FloatArray | None = None

    @property
    def first_returns(self) -> FloatArray:
        """Return of each lane's first trajectory, before any adaptation: (lanes,)."""
        return self.returns[:, 0]

    @property
    def last_returns(self) -> FloatArray:
        """Return of each lane's last trajectory, the one that counts: (lanes,)."""
        present = np.isfinite(self.returns)
        last = self.returns.shape[1] - 1 - np.argmax(present[:, ::-1], axis=1)
        return np.where(present.any(axis=1), self.returns[np.arange(len(last)), last], np.nan)

    def by_task(self, per_lane: FloatArray) -> tuple[IntArray, FloatArray]:
        """Average a value over the lanes of each task: task indices and means, both (tasks,)."""
        indices = np.unique(self.tasks)
        lanes = (self.tasks == index for index in indices)
        means = [per_lane[here][np.isfinite(per_lane[here])] for here in lanes]
        return indices, np.array([values.mean() if len(values) else np.nan for values in means])


def read_evaluation(path: Path) -> Evaluation | None:
    """A saved evaluation; None where it is missing, half written or of another form."""
    try:
        with open_regular(path) as file:
            with zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                    return None
            file.seek(0)
            with np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
        return make_evaluation(arrays)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def make_evaluation(arrays: Mapping[str, npt.NDArray[Any]]) -> Evaluation:
    """Check the arrays of an evaluation; a belief or observations of the wrong shape are left out.

    Raises:
        KeyError: no `tasks` or no `returns`.
        ValueError: they do not belong together.
    """
    arrays = {name: values for name, values in arrays.items() if np.asarray(values).dtype.kind in "biuf"}
    tasks = np.asarray(arrays["tasks"]).astype(np.int64)
    returns = np.asarray(arrays["returns"]).astype(np.float64)
    if returns.ndim != 2 or tasks.shape != returns.shape[:1] or returns.size == 0:
        raise ValueError(f"tasks {tasks.shape} and returns {returns.shape} do not belong together")
    observations = arrays.get("observations")
    if observations is not None and (observations.ndim != 4 or observations.shape[:2] != returns.shape):
        observations = None
    if observations is not None and (observations.shape[-1] != 2 or observations.shape[2] == 0):
        observations = None
    belief = {}
    for name in ("z_mean", "z_var"):
        values = arrays.get(name)
        belief[name] = values if values is not None and values.ndim == 2 and len(values) == len(tasks) else None
    return Evaluation(tasks, returns, observations, **belief)


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
