"""Adapt the agent of EXP_DIR to its evaluation tasks: return by trajectory, as a table, as JSON, and in films.

EXP_DIR is the folder of an experiment, finished or running. One of the reference needs --config where it has no
variant.json. Without options the numbers are those of the run's last evaluation, if it ran on the CPU.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.console import Console

from rlkit.runs.folder import FILM_FOLDER
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import UserError
from rlkit.util.files import write_json

RESULT_FILE = "sim_policy.json"
DEFAULT_SEED = 0  # where neither the command line nor the run has one


@click.command(cls=Command, help=__doc__)
@click.argument("exp_dir", type=UserPath())
@click.option("--config", "config_path", type=UserPath(), metavar="FILE", help="Use this in place of variant.json.")
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
@click.option("--gif", type=UserPath(), metavar="FILE", help="Film the trajectories of --task side by side.")
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
    gif: Path | None,
    output: Path | None,
) -> None:
    from rlkit.launchers.film import film_side_by_side, film_tasks
    from rlkit.launchers.simulation import as_table, open_run, summary

    if gif is not None and task is None:
        raise UserError("--gif: should come with --task, the task to film")
    if num_trajs is not None:
        overrides = (*overrides, f"algo_params.num_trajs_per_eval={num_trajs}")
    run = open_run(exp_dir, config_path, overrides)
    seed = next(value for value in (seed, run.config.seed, DEFAULT_SEED) if value is not None)
    tasks = run.evaluation_tasks(task)
    num_evals = run.config.algo_params.num_evals
    adaptation = run.adapt(run.make_env(), np.repeat(tasks, num_evals), seed, deterministic=deterministic)
    result = summary(adaptation, tasks, num_evals)
    Console(highlight=False).print(as_table(result, run))
    if video:
        result["films"] = film_tasks(run, tasks, seed, deterministic=deterministic, exp_dir=exp_dir)
        click.echo(f"films   {exp_dir / FILM_FOLDER}")
    if gif is not None and task is not None:
        film_side_by_side(run, task, seed, deterministic=deterministic, path=gif)
        click.echo(f"film    {gif}")
    path = output or exp_dir / RESULT_FILE
    write_json(path, {"seed": seed, "iteration": run.iteration, "deterministic": deterministic, **result})
    click.echo(f"results {path}")


if __name__ == "__main__":
    run_command(main)
