"""What columns are called on an axis, and which columns to draw unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from rlkit.util.errors import UserError
from rlkit.util.text import nearest

X_DEFAULT = "Number of env steps total"
X_TRAJECTORY = "Trajectory"  # in a column's place: each run's final return by the trajectory's number
Y_DEFAULT = "AverageReturn_all_test_tasks"
TRAIN_RETURN = "AverageReturn_all_train_tasks"
TRAJECTORY_PREFIX = "Test Return Trajectory "

AXIS_NAMES = {
    X_DEFAULT: "Environment steps",
    Y_DEFAULT: "Return on unseen tasks",
    "AverageReturn": "Return on unseen tasks",
    TRAIN_RETURN: "Return on training tasks",
    "AverageTrainReturn_all_train_tasks": "Return on training tasks, buffer context",
    "Number of train steps total": "Gradient steps",
    "Number of rollouts total": "Trajectories",
    "Total Train Time (s)": "Wall-clock time (s)",
    "Epoch": "Iteration",
    "Z mean train": "Posterior mean, |z|, training",
    "Z variance train": "Posterior variance, training",
    "Z mean eval": "Posterior mean, |z|, evaluation",
    "Z variance eval": "Posterior variance, evaluation",
}


def axis_name(column: str) -> str:
    return AXIS_NAMES.get(column, column)


def resolve_column(name: str, columns: Sequence[str], option: str) -> str:
    """The column that `name` means, upper and lower case aside.

    Raises:
        UserError: there is no such column.
    """
    if name in columns:
        return name
    by_lower = {column.lower(): column for column in columns}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    raise UserError(f"{option}: no column '{name}' in these runs; {nearest(name, list(columns))}")
