"""Adapt the agent of EXP_DIR to its evaluation tasks: return by trajectory, as a table, as JSON, and in films.

EXP_DIR is the folder of an experiment, finished or running. One of the reference needs --config where it has no
variant.json. Without options the numbers are those of the run's last evaluation, if it ran on the CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import UserError
from rlkit.util.files import write_json
from rlkit.viz.stats import bootstrap_band

if TYPE_CHECKING:
    from rlkit.core.evaluation import Adaptation
    from rlkit.launchers.simulation import Run
    from rlkit.util.records import IndexArray

RESULT_FILE, FILM_FOLDER = "sim_policy.json", "videos"
DEFAULT_SEED = 0  # where neither the command line nor the run has one


@click.command(cls=Command, help=__doc__)
@click.argument("exp_dir", type=UserPath())
@click.option(
    "--config",
    "config_path",
    type=UserPath(),
    metavar="FILE",
    help="Use this in place of variant.json.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Evaluate with another setting, e.g. algo_params.num_exp_traj_eval=5.",
)
@click.option(
    "--num_trajs",
    "--num-trajs",
    type=click.IntRange(min=1),
    help="Trajectories per task (default: the config's rule).",
)
@click.option(
    "--deterministic/--stochastic", default=True, show_default=True, help="The policy's mean action, or with noise."
)
@click.option("--task", type=click.IntRange(min=0), metavar="INDEX", help="Only this task of the set.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of start states and z (default: the run's).")
@click.option("--video", is_flag=True, help=f"Film one adaptation to each task, into EXP_DIR/{FILM_FOLDER}.")
@click.option("-o", "--output", type=UserPath(), metavar="FILE", help=f"JSON file (EXP_DIR/{RESULT_FILE}).")
def main(
    exp_dir: Path,
    config_path: Path | None,
    overrides: tuple[str, ...],
    num_trajs: int | None,
    deterministic: bool,
    task: int | None,
    seed: int | None,
    video: bool,
    output: Path | None,
) -> None:
    """Adapt, and say how it went."""
    from rlkit.launchers.film import film_tasks
    from rlkit.launchers.simulation import open_run

    if num_trajs is not None:
        overrides = (*overrides, f"algo_params.num_trajs_per_eval={num_trajs}")
    run = open_run(exp_dir, config_path, overrides)
    seed = next(value for value in (seed, run.config.seed, DEFAULT_SEED) if value is not None)
    tasks = chosen_tasks(run, task)
    num_evals = run.config.algo_params.num_evals
    adaptation = run.adapt(run.make_env(), np.repeat(tasks, num_evals), seed, deterministic=deterministic)
    result = summary(adaptation, tasks, num_evals)
    show(result, run)
    settings = {"seed": seed, "iteration": run.iteration, "deterministic": deterministic}
    if video:
        films = film_tasks(run, tasks, seed, deterministic=deterministic, folder=exp_dir / FILM_FOLDER)
        result["films"] = [film_entry(number, film) for number, film in films.items()]
        click.echo(f"films   {exp_dir / FILM_FOLDER}")
    path = output or exp_dir / RESULT_FILE
    write_json(path, {**settings, **result})
    click.echo(f"results {path}")


def chosen_tasks(run: Run, task: int | None) -> IndexArray:
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


def show(result: dict[str, Any], run: Run) -> None:
    """Print the table."""
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
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_command(main)
