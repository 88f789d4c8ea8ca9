"""Drawings of one evaluation, each into given axes: adaptation, return against task, belief, trajectories.

Also what tasks differ by, as something that can be an axis of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rlkit.runs.evaluation import Evaluation, FloatArray
from rlkit.util.text import printable
from rlkit.viz import style
from rlkit.viz.stats import bootstrap_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Task = Mapping[str, Any]
PARAMETER_LABELS = {
    "velocity": "target velocity (m/s)",
    "direction": "target direction",
    "angle": "target direction (rad)",
}
BEFORE, AFTER = style.COLORS[5], style.COLORS[0]
DOTS: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5}
HOLLOW, FILLED = DOTS | {"color": BEFORE, "markerfacecolor": "white"}, DOTS | {"color": AFTER}
MIN_SHARE = 1e-9  # of the variance, of a direction that is one
MIN_TASKS = 5  # for a band over tasks


@dataclass(frozen=True)
class TaskParameter:
    """The one number, or point in the plane, by which tasks differ."""

    label: str  # name and unit
    values: FloatArray  # (tasks,) numbers, or (tasks, 2) points

    @property
    def is_plane(self) -> bool:
        return self.values.ndim == 2

    @property
    def is_categorical(self) -> bool:
        """Whether there are so few values that each is a category."""
        return not self.is_plane and len(np.unique(self.values)) <= 3


def task_parameter(tasks: Sequence[Task]) -> TaskParameter | None:
    """The first entry that is a number, or a pair of numbers, in all tasks; None if none is (random physics)."""
    for key in tasks[0] if tasks else ():
        values = _numbers([task.get(key) for task in tasks])
        if values is not None:
            return TaskParameter(_label(key, values), values)
    return None


def plane_points(tasks: Sequence[Task]) -> FloatArray | None:
    """The tasks' points in the plane, (tasks, 2); None where their parameter is something else."""
    parameter = task_parameter(tasks)
    return parameter.values if parameter is not None and parameter.is_plane else None


def _label(key: str, values: FloatArray) -> str:
    if values.ndim == 2:
        return printable(key)
    label = PARAMETER_LABELS.get(key, printable(key))
    return f"{label} (rad)" if key == "direction" and np.any(np.abs(values) > 1.0) else label


def _numbers(values: list[Any]) -> FloatArray | None:
    """Finite numbers (tasks,) or pairs of such (tasks, 2); None if the values are anything else."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.shape[1:] == (1,):
        array = array[:, 0]
    return array if array.shape[1:] in ((), (2,)) and np.isfinite(array).all() else None


def draw_adaptation(axes: Axes, evaluation: Evaluation, num_prior: int | None = None) -> None:
    """Return by trajectory number: each task as a thin line, their mean with its 95 % band on top.

    Where there are fewer than MIN_TASKS tasks, each of their evaluations counts for itself. `num_prior` trajectories
    have z from the prior; None if that is not known.
    """
    returns = _returns_by_task(evaluation)
    numbers = np.arange(1, returns.shape[1] + 1)
    axes.plot(numbers, returns.T, color=style.GREY, linewidth=0.6, alpha=0.4)
    means, low, high = np.array([_mean_and_band(column) for column in returns.T]).T
    axes.fill_between(numbers, low, high, color=AFTER, alpha=0.25, linewidth=0)
    axes.plot(numbers, means, color=AFTER, marker="o", markersize=4)
    axes.set_xticks(numbers if len(numbers) <= 20 else numbers[:: len(numbers) // 10])
    axes.set_xlim(0.8, len(numbers) + 0.2)
    axes.set_xlabel("Trajectory")
    axes.set_ylabel("Return on unseen tasks")
    if num_prior is not None and 0 < num_prior < len(numbers):
        axes.axvspan(0.8, num_prior + 0.5, color="#f1f1f1", linewidth=0, zorder=0)
        look: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "va": "bottom", "color": style.GREY}
        axes.text(num_prior + 0.45, 1.0, "z ~ prior  ", ha="right", **look)
        axes.text(num_prior + 0.55, 1.0, "  z ~ q(z|c)", ha="left", **look)


def _returns_by_task(evaluation: Evaluation) -> FloatArray:
    """(tasks, trajectories), or (lanes, trajectories) where there are few tasks."""
    if len(np.unique(evaluation.tasks)) < MIN_TASKS:
        return evaluation.returns
    columns = [evaluation.by_task(evaluation.returns[:, i])[1] for i in range(evaluation.returns.shape[1])]
    return np.stack(columns, axis=1)


def _mean_and_band(values: FloatArray) -> tuple[float, float, float]:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return (np.nan, np.nan, np.nan)
    low, high = bootstrap_band(values[:, None].astype(np.float64), "mean")
    return float(values.mean()), float(low[0]), float(high[0])


def draw_return_by_task(axes: Axes, evaluation: Evaluation, tasks: Sequence[Task]) -> None:
    """Return before and after adaptation against what the tasks differ by; in the plane where that is a point."""
    indices, after = evaluation.by_task(evaluation.last_returns)
    _, before = evaluation.by_task(evaluation.first_returns)
    parameter = _parameter_of(indices, tasks)
    if parameter is not None and parameter.is_plane:
        _draw_plane(axes, parameter, after)
    elif parameter is not None and parameter.is_categorical:
        _draw_categories(axes, evaluation, parameter, indices)
    else:
        _draw_line_of_tasks(axes, parameter, before, after)


def _parameter_of(indices: Any, tasks: Sequence[Task]) -> TaskParameter | None:
    if len(indices) == 0 or indices.min() < 0 or indices.max() >= len(tasks):
        return None
    return task_parameter([tasks[index] for index in indices])


def _draw_plane(axes: Axes, parameter: TaskParameter, after: FloatArray) -> None:
    x, y = parameter.values.T
    points = axes.scatter(x, y, c=after, cmap=style.SEQUENTIAL, s=70, edgecolor="white", linewidth=0.8)
    axes.figure.colorbar(points, ax=axes, label="Return after adaptation", shrink=0.85)
    axes.plot(0, 0, marker="+", color=style.GREY, markersize=9)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.1)
    axes.set_xlabel(f"{parameter.label}, x")
    axes.set_ylabel(f"{parameter.label}, y")


def _draw_categories(axes: Axes, evaluation: Evaluation, parameter: TaskParameter, indices: Any) -> None:
    """A column of lanes for each of the parameter's few values."""
    rng = np.random.default_rng(0)
    values = np.unique(parameter.values)
    for place, value in enumerate(values):
        lanes = np.isin(evaluation.tasks, indices[parameter.values == value])
        for offset, returns, look in (
            (-0.15, evaluation.first_returns, HOLLOW),
            (0.15, evaluation.last_returns, FILLED),
        ):
            x = place + offset + rng.uniform(-0.05, 0.05, lanes.sum())
            axes.plot(x, returns[lanes], **look)
    axes.set_xticks(range(len(values)), [f"{value:.3g}" for value in values])
    axes.margins(x=0.3)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(parameter.label.capitalize())
    _name_before_and_after(axes)


def _draw_line_of_tasks(axes: Axes, parameter: TaskParameter | None, before: FloatArray, after: FloatArray) -> None:
    if parameter is None:
        order = np.argsort(after)
        x, before, after = np.arange(1.0, len(order) + 1), before[order], after[order]
        axes.set_xlabel("Unseen tasks, sorted by return after adaptation")
    else:
        x = parameter.values
        axes.set_xlabel(parameter.label.capitalize())
    axes.vlines(x, before, after, color="#c8c8c8", linewidth=0.8, zorder=1)
    axes.plot(x, before, **HOLLOW)
    axes.plot(x, after, **FILLED)
    _name_before_and_after(axes)


def _name_before_and_after(axes: Axes) -> None:
    axes.set_ylabel("Return on unseen tasks")
    above: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom"}
    axes.text(0.0, 1.01, "○ first trajectory", ha="left", color=style.darker(BEFORE), **above)
    axes.text(1.0, 1.01, "● last trajectory", ha="right", color=style.darker(AFTER), **above)


def draw_belief(axes: Axes, evaluation: Evaluation, tasks: Sequence[Task]) -> None:
    """Posterior means in their first two principal directions, coloured by the task's parameter."""
    assert evaluation.z_mean is not None
    usable = np.isfinite(evaluation.z_mean).all(axis=1)
    flat, (x_label, y_label) = principal_plane(evaluation.z_mean[usable])
    lanes = evaluation.tasks[usable]
    parameter = _parameter_of(lanes, tasks)
    colors: npt.NDArray[Any]
    if parameter is None:
        colors, label = lanes, "task"
    elif parameter.is_plane:
        colors = np.arctan2(parameter.values[:, 1], parameter.values[:, 0])
        label = f"angle of {parameter.label} (rad)"
    else:
        colors, label = parameter.values, parameter.label
    shades = "twilight" if "(rad)" in label else style.SEQUENTIAL
    points = axes.scatter(flat[:, 0], flat[:, 1], c=colors, cmap=shades, s=24, edgecolor="white", linewidth=0.4)
    axes.figure.colorbar(points, ax=axes, label=label, shrink=0.85)
    axes.set_title("Posteriors of the last evaluation", fontweight="normal", fontsize=9)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)


def principal_plane(points: FloatArray) -> tuple[FloatArray, tuple[str, str]]:
    """Points seen along their two directions of largest variance: (points, 2), and the axes' names."""
    centred = points - points.mean(axis=0) if len(points) else points
    if points.shape[1] < 2:
        return np.hstack([centred, np.zeros((len(points), 2 - points.shape[1]))]), ("mean of z", "")
    _, scale, directions = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    share = scale**2 / max(float((scale**2).sum()), 1e-12)
    share = np.append(share, [0.0, 0.0])
    flat = np.zeros((len(points), 2))
    flat[:, : min(2, len(directions))] = centred @ directions[:2].T
    flat[:, share[:2] < MIN_SHARE] = 0.0  # rounding errors are no direction
    return flat, (f"mean of z, component 1 ({share[0]:.0%})", f"component 2 ({share[1]:.0%})")


def draw_trajectories(
    axes: Axes, positions: FloatArray, task: Task, limits: tuple[float, float], radius: float | None
) -> None:
    """One lane's trajectories on the plane, light to dark as adaptation goes on, and its goal.

    `positions` are (trajectories, steps + 1, 2), nan where there is nothing; `radius` is that of the sparse reward
    around the goal, None where the family has none.
    """
    import matplotlib
    from matplotlib.patches import Circle

    shades = matplotlib.colormaps["viridis_r"](np.linspace(0.08, 1.0, max(len(positions), 2)))
    for shade, path in zip(shades, positions, strict=False):
        axes.plot(*path.T, color=shade, linewidth=1.3, marker=".", markersize=2.5)
        axes.plot(*path[0], color=shade, marker="o", markersize=4, markerfacecolor="white")
    goal = plane_points([task])
    if goal is not None:
        if radius is not None:
            axes.add_patch(Circle(goal[0], radius, color=style.COLORS[1], alpha=0.15, linewidth=0, zorder=0))
        axes.plot(*goal[0], marker="*", markersize=11, color=style.COLORS[1], zorder=5, markeredgecolor="white")
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    axes.set_aspect("equal")
