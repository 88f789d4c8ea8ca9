"""What scripts/sim_policy.py says of an agent's adaptation: as a record for JSON, and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from rlkit.util.errors import UserError
from rlkit.viz.stats import bootstrap_band

if TYPE_CHECKING:
    from rlkit.core.evaluation import Adaptation
    from rlkit.launchers.simulation import TrainedRun
    from rlkit.util.records import IndexArray

FILM_FOLDER = "videos"


def chosen_tasks(run: TrainedRun, task: int | None) -> IndexArray:
    """The evaluation tasks, or only `task`.

    Raises:
        UserError: there is no such task.
    """
    if task is None:
        return run.evaluation_tasks()
    n_tasks = run.config.env_params.n_tasks
    if task >= n_tasks:
        raise UserError(f"--task {task}: should be one of the run's tasks 0..{n_tasks - 1}")
    return np.array([task])


def summary(adaptation: Adaptation, tasks: IndexArray, num_evals: int) -> dict[str, Any]:
    """Returns by trajectory and of the last one, with 95 % intervals over tasks, and those of every run."""
    by_task = adaptation.returns.reshape(len(tasks), num_evals, -1).astype(np.float64)
    ran = np.asarray(np.isfinite(by_task).all(axis=1))  # (tasks, trajectories): all runs of the task had it
    trajectories = [
        {"trajectory": number + 1, **interval(by_task[ran[:, number], :, number].mean(axis=1))}
        for number in range(by_task.shape[2])
        if ran[:, number].any()
    ]
    last = adaptation.final_return.reshape(len(tasks), num_evals).astype(np.float64)
    return {
        "last_trajectory": interval(last.mean(axis=1)),
        "trajectories": trajectories,
        "tasks": [
            {
                "task": task,
                "returns": [[value for value in run if np.isfinite(value)] for run in runs.tolist()],
                "z_mean": adaptation.z_mean.reshape(len(tasks), num_evals, -1)[row].tolist(),
                "z_var": adaptation.z_var.reshape(len(tasks), num_evals, -1)[row].tolist(),
            }
            for row, (task, runs) in enumerate(zip(tasks.tolist(), by_task, strict=True))
        ],
    }


def interval(values: np.ndarray) -> dict[str, float | int | None]:
    """Mean of `values` (tasks,) and its 95 % bootstrap interval, which one task alone does not have."""
    if len(values) < 2:
        return {"mean": float(values.mean()), "low": None, "high": None, "num_tasks": len(values)}
    low, high = bootstrap_band(values[:, None], "mean")
    return {"mean": float(values.mean()), "low": float(low[0]), "high": float(high[0]), "num_tasks": len(values)}


def film_entry(task: int, adaptation: Adaptation) -> dict[str, Any]:
    """What the JSON says of a film."""
    returns = adaptation.returns[0]
    return {
        "task": task,
        "file": f"{FILM_FOLDER}/task_{task}.mp4",
        "returns": returns[np.isfinite(returns)].tolist(),
    }


def as_table(result: dict[str, Any], run: TrainedRun) -> Table:
    """What is printed: a row per trajectory, and the last one."""
    what = "sparse return" if run.config.algo_params.sparse_rewards else "return"
    table = Table(
        title=f"{run.config.env_name}, iteration {run.iteration}: adaptation to {len(result['tasks'])} tasks"
    )
    for heading in ("trajectory", what, "95 % interval over tasks", "tasks"):
        table.add_column(heading, justify="right")
    rows = [(str(entry["trajectory"]), entry) for entry in result["trajectories"]]
    for name, entry in [*rows, ("last", result["last_trajectory"])]:
        band = "" if entry["low"] is None else f"{entry['low']:.2f} to {entry['high']:.2f}"
        table.add_row(name, f"{entry['mean']:.2f}", band, str(entry["num_tasks"]))
    return table
