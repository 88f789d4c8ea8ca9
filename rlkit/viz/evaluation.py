"""The latest evaluation on unseen tasks: returns by trajectory, the belief, and what the tasks differ by."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.util.files import open_regular, read_json
from rlkit.viz.labels import printable

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Task = Mapping[str, Any]
EVALUATION, TASKS = "evaluation.npz", "tasks.json"
MAX_RADIUS = 1e6  # larger numbers are damage
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


def read_evaluation(folder: Path) -> Evaluation | None:
    """The evaluation saved in an experiment folder; None where it is missing, half written or of another form."""
    try:
        with open_regular(folder / EVALUATION) as file:
            with zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                    return None
            file.seek(0)
            with np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
        return make_evaluation(arrays)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def unreadable_files(folder: Path) -> list[str]:
    """What is there of evaluation.npz and tasks.json and cannot be used, one line each."""
    missing = {EVALUATION: read_evaluation(folder) is None, TASKS: not read_tasks(folder)}
    return [
        f"{name}: damaged, or no such file at all"
        for name, is_missing in missing.items()
        if is_missing and os.path.lexists(folder / name)
    ]


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


def read_tasks(folder: Path) -> list[Task]:
    """The task set of an experiment folder; empty where it is missing or half written."""
    tree = read_json(folder / TASKS)
    tasks = tree.get("tasks") if isinstance(tree, dict) else None
    return [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []


def read_rewarded_radius(folder: Path) -> float | None:
    """The radius around its goal in which an experiment's family gives a sparse reward; None without one."""
    tree = read_json(folder / TASKS)
    radius = tree.get("rewarded_radius") if isinstance(tree, dict) else None
    return float(radius) if isinstance(radius, int | float) and 0 < radius < MAX_RADIUS else None


@dataclass(frozen=True)
class TaskParameter:
    """What distinguishes the tasks, as something that can be an axis.

    Attributes:
        label: name and unit.
        values: (tasks,) numbers, or (tasks, 2) points in the plane.
    """

    label: str
    values: FloatArray

    @property
    def is_plane(self) -> bool:
        """Whether tasks are points in the plane."""
        return self.values.ndim == 2

    @property
    def is_categorical(self) -> bool:
        """Whether there are so few values that each is a category."""
        return not self.is_plane and len(np.unique(self.values)) <= 3


LABELS = {"velocity": "target velocity (m/s)", "direction": "target direction", "angle": "target direction (rad)"}


def task_parameter(tasks: Sequence[Task]) -> TaskParameter | None:
    """The one number, or pair of numbers, that all tasks have; None where there is none (random physics)."""
    if not tasks:
        return None
    for key in tasks[0]:
        values = _as_array([task.get(key) for task in tasks])
        if values is None:
            continue
        if values.ndim == 1 or values.shape[1] == 1:
            return TaskParameter(_label(key, values.ravel()), values.ravel())
        if values.shape[1] == 2:
            return TaskParameter(printable(key), values)
    return None


def _label(key: str, values: FloatArray) -> str:
    label = LABELS.get(key, printable(key))
    return f"{label} (rad)" if key == "direction" and np.any(np.abs(values) > 1.0) else label


def _as_array(values: list[Any]) -> FloatArray | None:
    """A (tasks,) or (tasks, n) array of finite numbers; None if the values are anything else."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.ndim in (1, 2) and array.size and np.isfinite(array).all() else None
