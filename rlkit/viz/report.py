"""The pictures of one run: `write_report` draws what its folder holds into plots/*.png, and `evaluation_pictures`
those of one evaluation for TensorBoard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rlkit.runs.evaluation import Evaluation, FloatArray, make_evaluation
from rlkit.viz import panels, style
from rlkit.viz.curves import run_curve
from rlkit.viz.labels import TRAIN_RETURN, TRAJECTORY_PREFIX, X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.panels import Task, plane_points
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOTS = "plots"
LOSS_COLUMNS = ("QF Loss", "VF Loss", "Policy Loss", "KL Loss", "Q Predictions Mean", "V Predictions Mean")
BELIEF_COLUMNS = ("KL Divergence", "Z variance train", "Z variance eval", "Z mean train", "Z mean eval")
MAX_TASKS_DRAWN = 6  # of the point robot's trajectories
COLUMNS_OF_GRID = 3


def write_report(exp_dir: Path, *, keep_present: bool = False) -> list[Path]:
    """Draw a run's pictures into its `plots` folder.

    Learning curve, adaptation by trajectory, return against task parameter, losses, belief, and for point robots the
    trajectories; each where the folder holds what it needs.

    Args:
        exp_dir: folder of the run; any of its files may be missing or half written.
        keep_present: draw only pictures that are not there yet.

    Returns:
        The pictures written, in the order above.

    Raises:
        OSError: the pictures cannot be written.
    """
    run = RunReader(exp_dir)
    run.refresh()
    evaluation, tasks, radius = run.folder.evaluation(), run.folder.tasks, run.folder.rewarded_radius
    drawings: dict[str, Callable[[], Figure | None]] = {
        "learning_curve": lambda: learning_curve(run),
        "adaptation": lambda: adaptation(run, evaluation),
        "return_by_task": lambda: return_by_task(run, evaluation, tasks),
        "losses": lambda: columns_over_steps(run, LOSS_COLUMNS, "losses and predictions"),
        "belief": lambda: belief(run, evaluation, tasks),
        "trajectories": lambda: trajectories(evaluation, tasks, radius),
    }
    written = []
    with style.styled():
        for name, draw in drawings.items():
            path = exp_dir / PLOTS / f"{name}.png"
            figure = None if keep_present and path.exists() else draw()
            if figure is not None:
                written.append(style.save(figure, path))
    return written


def evaluation_pictures(
    arrays: Mapping[str, npt.NDArray[Any]],
    tasks: Sequence[Task],
    num_prior: int | None = None,
    radius: float | None = None,
) -> dict[str, npt.NDArray[np.uint8]]:
    """The pictures of an evaluation by name, (height, width, 3) each.

    Args:
        arrays: those of evaluation.npz.
        tasks: the run's.
        num_prior: trajectories with z from the prior; None if not known.
        radius: of the sparse reward around a goal; None where the family has none.

    Raises:
        KeyError, ValueError: the arrays are no evaluation.
    """
    evaluation = make_evaluation(arrays)
    with style.styled():
        adapted = style.new_figure(4.8, 3.2)
        panels.draw_adaptation(adapted.subplots(), evaluation, num_prior)
        figures = {"adaptation": adapted, "trajectories": trajectories(evaluation, tasks, radius)}
    return {name: style.to_rgb(figure) for name, figure in figures.items() if figure is not None}


def learning_curve(run: RunReader) -> Figure | None:
    """Return on unseen and on training tasks against environment steps; None without rows."""
    figure, axes = _single(run, 5.6, "learning curve")
    ends = []
    for index, (column, label) in enumerate(((Y_DEFAULT, "unseen tasks"), (TRAIN_RETURN, "training tasks"))):
        curve, look = run_curve(run, X_DEFAULT, column), style.line_style(index)
        if len(curve.x):
            axes.plot(curve.x, curve.y, marker="o" if len(curve.x) < 3 else None, **look)
            ends.append((float(curve.x[-1]), float(curve.y[-1]), label, look["color"]))
    if not ends:
        return None
    axes.margins(x=0.02)
    axes.set_xlabel(axis_name(X_DEFAULT))
    axes.set_ylabel("Return after adaptation")
    style.short_numbers(axes)
    style.label_lines(axes, ends)
    return figure


def adaptation(run: RunReader, evaluation: Evaluation | None) -> Figure | None:
    """Return by trajectory number; from progress.csv, without spread, where there is no evaluation.npz."""
    evaluation = evaluation or _evaluation_of_last_row(run)
    if evaluation is None:
        return None
    figure, axes = _single(run, 4.8, "adaptation to unseen tasks")
    num_prior = run.config.get("algo_params.num_exp_traj_eval")
    panels.draw_adaptation(axes, evaluation, num_prior if isinstance(num_prior, int) else None)
    return figure


def _evaluation_of_last_row(run: RunReader) -> Evaluation | None:
    names = [name for name in run.progress.columns if name.startswith(TRAJECTORY_PREFIX)]
    if not names or run.progress.num_rows == 0:
        return None
    returns = np.array([[run.progress.column(name)[-1] for name in names]])
    return Evaluation(np.zeros(1, dtype=np.int64), returns) if np.isfinite(returns).any() else None


def return_by_task(run: RunReader, evaluation: Evaluation | None, tasks: Sequence[Task]) -> Figure | None:
    """Return before and after adaptation against the tasks' parameter; None without an evaluation."""
    if evaluation is None or not np.isfinite(evaluation.returns).any():
        return None
    figure, axes = _single(run, 4.8, "return by task")
    panels.draw_return_by_task(axes, evaluation, tasks)
    return figure


def columns_over_steps(
    run: RunReader, columns: Sequence[str], title: str, extra: Callable[[Axes], None] | None = None
) -> Figure | None:
    """A grid with a panel per column that has numbers, and one that `extra` draws into; None if there is neither."""
    curves = {column: run_curve(run, X_DEFAULT, column) for column in columns}
    drawings: list[Callable[[Axes], None]] = [
        partial(_draw_column, run, column, curve) for column, curve in curves.items() if len(curve.x)
    ]
    if extra is not None:
        drawings.append(extra)
    if not drawings:
        return None
    figure, grid = _grid(len(drawings))
    for axes, draw in zip(grid, drawings, strict=False):
        draw(axes)
    _set_title(figure, run, title)
    return figure


def _draw_column(run: RunReader, column: str, curve: Curve, axes: Axes) -> None:
    """The column, with its standard deviation around where the run has that too."""
    x, y = curve.x, curve.y
    axes.plot(x, y, color=style.COLORS[0], marker="o" if len(x) < 3 else None)
    if column.endswith(" Mean"):
        spread = run_curve(run, X_DEFAULT, column.replace(" Mean", " Std"))
        if len(spread.x) == len(x):
            axes.fill_between(x, y - spread.y, y + spread.y, color=style.COLORS[0], alpha=0.15, linewidth=0)
    axes.set_title(axis_name(column), fontweight="normal", fontsize=9)
    axes.set_xlabel(axis_name(X_DEFAULT))
    axes.margins(x=0.02)
    style.short_numbers(axes)


def belief(run: RunReader, evaluation: Evaluation | None, tasks: Sequence[Task]) -> Figure | None:
    """Belief columns over the steps, and the last posteriors' means; None without an information bottleneck."""
    posteriors = None
    if evaluation is not None and evaluation.z_mean is not None and evaluation.z_mean.size > 0:
        posteriors = partial(panels.draw_belief, evaluation=evaluation, tasks=tasks)
    return columns_over_steps(run, BELIEF_COLUMNS, "belief over the task", posteriors)


def trajectories(evaluation: Evaluation | None, tasks: Sequence[Task], radius: float | None = None) -> Figure | None:
    """A point robot's trajectories for a few unseen tasks; None for other families.

    `radius` is that of the sparse reward, None where there is none.
    """
    if evaluation is None or evaluation.observations is None:
        return None
    lanes = _spread_lanes(evaluation, tasks)
    if not lanes:
        return None
    positions, numbers = evaluation.observations[lanes], evaluation.tasks[lanes]
    limits = _limits(positions, [tasks[number] for number in numbers], radius or 0.0)
    figure, grid = _grid(len(lanes), cell=(2.2, 2.2))
    for axes, number, paths in zip(grid, numbers, positions, strict=False):
        panels.draw_trajectories(axes, paths, tasks[number], limits, radius)
        axes.set_title(f"task {number}", fontweight="normal", fontsize=9)
    text = f"Trajectories 1 (light) to {positions.shape[1]} (dark) on unseen tasks\nstar: goal"
    text += ", disc: sparse reward" if radius is not None else ""
    figure.suptitle(text, x=0.01, ha="left", fontsize=9)
    return figure


def _spread_lanes(evaluation: Evaluation, tasks: Sequence[Task]) -> list[int]:
    """The first lane of up to MAX_TASKS_DRAWN tasks, evenly from those in the order of their goals' angles."""
    firsts = [int(np.argmax(evaluation.tasks == task)) for task in np.unique(evaluation.tasks)]
    known = [lane for lane in firsts if 0 <= evaluation.tasks[lane] < len(tasks)]
    goals = plane_points([tasks[evaluation.tasks[lane]] for lane in known])
    if goals is not None:
        known = [known[i] for i in np.argsort(np.arctan2(goals[:, 1], goals[:, 0]))]
    chosen = np.linspace(0, len(known) - 1, min(len(known), MAX_TASKS_DRAWN)).round().astype(int)
    return [known[i] for i in chosen]


def _limits(positions: FloatArray, tasks: Sequence[Task], radius: float) -> tuple[float, float]:
    """From where to where both axes go, so that all positions and goals are seen."""
    goals = plane_points(tasks)
    every = positions.ravel() if goals is None else np.concatenate([positions, goals - radius, goals + radius], None)
    every = every[np.isfinite(every)]
    if len(every) == 0:
        return -1.0, 1.0
    margin = 0.05 * float(np.ptp(every)) + 1e-3
    return float(every.min()) - margin, float(every.max()) + margin


def _set_title(figure: Figure, run: RunReader, title: str, *, wrap: bool = False) -> None:
    text = f"{run.env_name} / {run.name}: {title}"
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold", wrap=wrap)


def _single(run: RunReader, width: float, title: str) -> tuple[Figure, Axes]:
    figure = style.new_figure(width, 3.4)
    _set_title(figure, run, title, wrap=True)
    return figure, figure.subplots()


def _grid(number: int, cell: tuple[float, float] = (3.0, 2.3)) -> tuple[Figure, list[Axes]]:
    columns = min(number, COLUMNS_OF_GRID)
    rows = -(-number // columns)
    figure = style.new_figure(cell[0] * columns, cell[1] * rows + 0.4)
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid[number:]:
        axes.set_visible(False)
    return figure, grid
