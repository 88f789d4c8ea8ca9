"""A run of a second or two, and what it leaves."""

import json
from pathlib import Path

from click.testing import CliRunner

from launch_experiment import main

ROOT = Path(__file__).parents[2]
SHORT = {
    "algo_params.num_iterations": 2,
    "algo_params.num_train_steps_per_itr": 3,
    "algo_params.meta_batch": 2,
    "algo_params.batch_size": 8,
    "algo_params.num_initial_steps": 40,
    "algo_params.num_evals": 1,
    "algo_params.num_tasks_sample": 2,
    "n_train_tasks": 4,
    "n_eval_tasks": 2,
    "net_size": 16,
    "util_params.plots": False,
}
LONGER = ("--set", "algo_params.num_iterations=3")


def command(base, name, **changes):
    """The launcher's words for it."""
    every = {**SHORT, "util_params.base_log_dir": str(base), **changes}
    words = [word for key, value in every.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return [str(ROOT / "configs/point-robot.json"), "--cpu", "--seed", "5", "--name", name, *words]


def start(base, name, **changes):
    """Run in this process; the command's result, and the run's folder."""
    return CliRunner().invoke(main, command(base, name, **changes)), base / "point-robot" / name


def resume(folder, *words):
    return CliRunner().invoke(main, ["--resume", str(folder), *words])


def rows(folder):
    header, *lines = [line.split(",") for line in (folder / "progress.csv").read_text().splitlines()]
    return [{k: v for k, v in zip(header, line, strict=True) if "(s)" not in k} for line in lines]
