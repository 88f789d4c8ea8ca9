"""What the tasks of a run differ by, as something that can be an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.util.text import printable

FloatArray = npt.NDArray[np.floating[Any]]
Task = Mapping[str, Any]


@dataclass(frozen=True)
class TaskParameter:
    """What distinguishes the tasks, as something that can be an axis."""

    label: str  # name and unit
    values: FloatArray  # (tasks,) numbers, or (tasks, 2) points in the plane

    @property
    def is_plane(self) -> bool:
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


def plane_points(tasks: Sequence[Task]) -> FloatArray | None:
    """The tasks' points in the plane, (tasks, 2); None where their parameter is something else."""
    parameter = task_parameter(tasks)
    return parameter.values if parameter is not None and parameter.is_plane else None


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
