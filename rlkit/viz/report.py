"""The pictures of one run: `write_report` draws what its folder holds into plots/*.png."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit.runs.evaluation import Evaluation
from rlkit.runs.folder import RunFolder
from rlkit.viz import panels, style
from rlkit.viz.curves import run_curve
from rlkit.viz.labels import TRAIN_RETURN, TRAJECTORY_PREFIX, X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.run_reader import RunReader
from rlkit.viz.task_parameter import Task, task_parameter

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
    folder = RunFolder(exp_dir)
    evaluation, tasks = folder.evaluation(), folder.tasks
    drawings: dict[str, Callable[[], Figure | None]] = {
        "learning_curve": lambda: learning_curve(run),
        "adaptation": lambda: adaptation(run, evaluation),
        "return_by_task": lambda: return_by_task(run, evaluation, tasks),
        "losses": lambda: columns_over_steps(run, LOSS_COLUMNS, "losses and predictions"),
        "belief": lambda: belief(run, evaluation, tasks),
        "trajectories": lambda: trajectories(evaluation, tasks, folder.rewarded_radius),
    }
    written = []
    with style.styled():
        for name, draw in drawings.items():
            path = exp_dir / PLOTS / f"{name}.png"
            figure = None if keep_present and path.exists() else draw()
            if figure is not None:
                written.append(style.save(figure, path))
    return written


def learning_curve(run: RunReader) -> Figure | None:
    """Return on unseen and on training tasks against environment steps; None without rows."""
    curves = [
        (run_curve(run, X_DEFAULT, column), label)
        for column, label in ((Y_DEFAULT, "unseen tasks"), (TRAIN_RETURN, "training tasks"))
    ]
    if not any(len(curve.x) for curve, _ in curves):
        return None
    figure, axes = _single(run, 5.6, "learning curve")
    ends = []
    for index, (curve, label) in enumerate(curves):
        if len(curve.x):
            look = style.line_style(index)
            axes.plot(curve.x, curve.y, marker="o" if len(curve.x) < 3 else None, **look)
            ends.append((float(curve.x[-1]), float(curve.y[-1]), label, look["color"]))
    axes.margins(x=0.02)
    axes.set_xlabel(axis_name(X_DEFAULT))
    axes.set_ylabel("Return after adaptation")
    style.short_numbers(axes)
    style.label_lines(axes, ends)
    return figure


def adaptation(run: RunReader, evaluation: Evaluation | None) -> Figure | None:
    """Return by trajectory number; from progress.csv, without spread, where there is no evaluation.npz."""
    if evaluation is None:
        evaluation = _evaluation_of_last_row(run)
    if evaluation is None:
        return None
    figure, axes = _single(run, 4.8, "adaptation to unseen tasks")
    panels.draw_adaptation(axes, evaluation, _num_prior(run))
    axes.title.set_position((0.0, 1.0))
    return figure


def _evaluation_of_last_row(run: RunReader) -> Evaluation | None:
    progress = run.progress
    names = [name for name in progress.columns if name.startswith(TRAJECTORY_PREFIX)]
    if not names or progress.num_rows == 0:
        return None
    returns = np.array([[progress.column(name)[-1] for name in names]])
    return Evaluation(np.zeros(1, dtype=np.int64), returns) if np.isfinite(returns).any() else None


def _num_prior(run: RunReader) -> int | None:
    number = run.config.get("algo_params.num_exp_traj_eval")
    return number if isinstance(number, int) else None


def return_by_task(run: RunReader, evaluation: Evaluation | None, tasks: Sequence[Task]) -> Figure | None:
    """Return before and after adaptation against the tasks' parameter; None without an evaluation."""
    if evaluation is None or not np.isfinite(evaluation.returns).any():
        return None
    figure, axes = _single(run, 4.8, "return by task")
    panels.draw_return_by_task(axes, evaluation, tasks)
    return figure


def columns_over_steps(run: RunReader, columns: Sequence[str], title: str) -> Figure | None:
    """A grid with one panel per column that has numbers; None if none has."""
    curves = {column: run_curve(run, X_DEFAULT, column) for column in columns}
    curves = {column: curve for column, curve in curves.items() if len(curve.x)}
    if not curves:
        return None
    figure, grid = _grid(len(curves))
    for axes, (column, curve) in zip(grid, curves.items(), strict=False):
        _draw_column(axes, run, column, curve.x, curve.y)
    figure.suptitle(f"{_name(run)}: {title}", x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _draw_column(axes: Axes, run: RunReader, column: str, x: Any, y: Any) -> None:
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
    figure = columns_over_steps(run, BELIEF_COLUMNS, "belief over the task")
    has_posteriors = evaluation is not None and evaluation.z_mean is not None and evaluation.z_mean.size > 0
    if not has_posteriors or evaluation is None:
        return figure
    if figure is None:
        figure, grid = _grid(1)
        axes = grid[0]
    else:
        free = [axes for axes in figure.axes if not axes.get_visible()]
        axes = free[0] if free else figure.add_subplot()
        axes.set_visible(True)
    panels.draw_belief(axes, evaluation, tasks)
    axes.set_title("Posteriors of the last evaluation", fontweight="normal", fontsize=9)
    return figure


def trajectories(evaluation: Evaluation | None, tasks: Sequence[Task], radius: float | None = None) -> Figure | None:
    """A point robot's trajectories for a few unseen tasks; None for other families.

    `radius` is that of the sparse reward, None where there is none.
    """
    if evaluation is None or evaluation.observations is None:
        return None
    lanes = _spread_lanes(evaluation, tasks)
    if not lanes:
        return None
    positions = evaluation.observations[lanes]
    limits = _limits(positions, [tasks[evaluation.tasks[lane]] for lane in lanes], radius or 0.0)
    figure, grid = _grid(len(lanes), cell=(2.2, 2.2))
    for axes, lane in zip(grid, lanes, strict=False):
        task = tasks[evaluation.tasks[lane]]
        panels.draw_trajectories(axes, evaluation.observations[lane], task, limits, radius)
        axes.set_title(f"task {evaluation.tasks[lane]}", fontweight="normal", fontsize=9)
    number = evaluation.observations.shape[1]
    text = f"Trajectories 1 (light) to {number} (dark) on unseen tasks\nstar: goal"
    text += ", disc: sparse reward" if radius is not None else ""
    figure.suptitle(text, x=0.01, ha="left", fontsize=9)
    return figure


def _spread_lanes(evaluation: Evaluation, tasks: Sequence[Task]) -> list[int]:
    """The first lane of up to MAX_TASKS_DRAWN tasks, evenly from those in the order of their goals' angles."""
    firsts = [int(np.argmax(evaluation.tasks == task)) for task in np.unique(evaluation.tasks)]
    known = [lane for lane in firsts if 0 <= evaluation.tasks[lane] < len(tasks)]
    goals = task_parameter([tasks[evaluation.tasks[lane]] for lane in known])
    if goals is not None and goals.is_plane:
        angles = np.arctan2(goals.values[:, 1], goals.values[:, 0])
        known = [known[i] for i in np.argsort(angles)]
    chosen = np.linspace(0, len(known) - 1, min(len(known), MAX_TASKS_DRAWN)).round().astype(int)
    return [known[i] for i in chosen]


def _limits(positions: Any, tasks: Sequence[Task], radius: float) -> tuple[float, float]:
    goals = task_parameter(tasks)
    points = [positions.reshape(-1, 2)]
    if goals is not None and goals.is_plane:
        points += [goals.values - radius, goals.values + radius]
    every = np.concatenate(points)
    every = every[np.isfinite(every)]
    if len(every) == 0:
        return -panels.UNIT, panels.UNIT
    margin = 0.05 * float(np.ptp(every)) + 1e-3
    return float(every.min()) - margin, float(every.max()) + margin


def _name(run: RunReader) -> str:
    return f"{run.env_name} / {run.name}"


def _single(run: RunReader, width: float, title: str) -> tuple[Figure, Axes]:
    figure = style.new_figure(width, 3.4)
    figure.suptitle(f"{_name(run)}: {title}", x=0.01, ha="left", fontsize=10, fontweight="bold", wrap=True)
    return figure, figure.subplots()


def _grid(number: int, cell: tuple[float, float] = (3.0, 2.3)) -> tuple[Figure, list[Axes]]:
    columns = min(number, COLUMNS_OF_GRID)
    rows = -(-number // columns)
    figure = style.new_figure(cell[0] * columns, cell[1] * rows + 0.4)
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid[number:]:
        axes.set_visible(False)
    return figure, grid
