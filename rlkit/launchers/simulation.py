"""A finished or running experiment, evaluated again: opening it, adapting its agent, and saying what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.table import Column, Table

from envs import MetaEnv
from envs.cpus import usable_cpus
from rlkit.config.settings import Config
from rlkit.core.evaluation import Adaptation, Evaluator, Watch
from rlkit.launchers.build import make_envs
from rlkit.launchers.trained_agent import load_experiment
from rlkit.runs.folder import RunFolder
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.pytorch_util import tune_cpu
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.errors import UserError
from rlkit.util.records import IndexArray, LaneEnv
from rlkit.util.seeding import Stream, stream_seed
from rlkit.viz.stats import bootstrap_band


class TrainedRun(NamedTuple):
    """An experiment with its trained agent."""

    config: Config
    agent: PEARLAgent
    iteration: int  # that the weights are of, from 1: the evaluation's random streams are named by it
    tasks: list[Any] | None  # the task set that was saved with the run

    @property
    def sparse(self) -> bool:
        """Whether the sparse reward counts as return."""
        return self.config.algo_params.sparse_rewards

    def make_env(self, **changes: Any) -> MetaEnv:
        """The environment of the run's evaluation, with as many lanes, but for `changes` of its parameters.

        Raises:
            UserError: the environment refuses.
        """
        return make_envs(self.config, tasks=self.tasks, **changes)

    def evaluation_tasks(self, task: int | None) -> IndexArray:
        """Those of the run, or only `task`.

        Raises:
            UserError: there is no such task.
        """
        n_tasks = self.config.env_params.n_tasks
        if task is None:
            return np.array(self.config.test_tasks)
        if task >= n_tasks:
            raise UserError(f"--task {task}: should be one of the run's tasks 0..{n_tasks - 1}")
        return np.array([task])

    def adapt(
        self, env: LaneEnv, tasks: IndexArray, seed: int, *, deterministic: bool, watch: Watch | None = None
    ) -> Adaptation:
        """Adapt to each of `tasks` from scratch; for the run's tasks and seed what its own evaluation did."""
        generator = torch.Generator()
        sampler = PathSampler(env, self.agent.actor)
        algo = self.config.algo_params
        evaluator = Evaluator(sampler, self.agent, generator, algo, deterministic=deterministic, watch=watch)
        evaluator.seed(
            stream_seed(seed, Stream.EVAL_ENV, self.iteration), stream_seed(seed, Stream.EVAL_AGENT, self.iteration)
        )
        return evaluator.adapt(tasks)


def open_run(folder: Path, config_path: Path | None, overrides: Iterable[str]) -> TrainedRun:
    """Load the experiment in `folder` as `load_experiment` does, and set torch up for it."""
    trained = load_experiment(folder, config=config_path, overrides=overrides)
    tune_cpu(trained.config.util_params.num_threads, usable_cpus())
    files = RunFolder(folder)
    iteration = files.status.iteration or len(files.rows()) or 1
    return TrainedRun(trained.config, trained.agent, iteration, files.tasks or None)


def summary(adaptation: Adaptation, tasks: IndexArray, num_evals: int) -> dict[str, Any]:
    """Returns by trajectory and of the last one, with 95 % intervals over tasks, and those of every run."""
    returns = adaptation.returns.reshape(len(tasks), num_evals, -1).astype(np.float64)
    z_mean = adaptation.z_mean.reshape(len(tasks), num_evals, -1)
    z_var = adaptation.z_var.reshape(len(tasks), num_evals, -1)
    ran = np.asarray(np.isfinite(returns).all(axis=1))  # (tasks, trajectories): all runs of the task had it
    last = adaptation.final_return.reshape(len(tasks), num_evals).astype(np.float64)
    return {
        "last_trajectory": interval(last.mean(axis=1)),
        "trajectories": [
            {"trajectory": number + 1, **interval(returns[ran[:, number], :, number].mean(axis=1))}
            for number in range(returns.shape[2])
            if ran[:, number].any()
        ],
        "tasks": [
            {
                "task": task,
                "returns": [run[np.isfinite(run)].tolist() for run in returns[row]],
                "z_mean": z_mean[row].tolist(),
                "z_var": z_var[row].tolist(),
            }
            for row, task in enumerate(tasks.tolist())
        ],
    }


def interval(values: np.ndarray) -> dict[str, float | int | None]:
    """Mean of `values` (tasks,) and its 95 % bootstrap interval, which one task alone does not have."""
    if len(values) < 2:
        return {"mean": float(values.mean()), "low": None, "high": None, "num_tasks": len(values)}
    low, high = bootstrap_band(values[:, None], "mean")
    return {"mean": float(values.mean()), "low": float(low[0]), "high": float(high[0]), "num_tasks": len(values)}


def as_table(result: dict[str, Any], run: TrainedRun) -> Table:
    """What is printed: a row per trajectory, and the last one."""
    what = "sparse return" if run.sparse else "return"
    title = f"{run.config.env_name}, iteration {run.iteration}: adaptation to {len(result['tasks'])} tasks"
    headings = ("trajectory", what, "95 % interval over tasks", "tasks")
    table = Table(*(Column(heading, justify="right") for heading in headings), title=title)
    for entry in (*result["trajectories"], {"trajectory": "last", **result["last_trajectory"]}):
        band = "" if entry["low"] is None else f"{entry['low']:.2f} to {entry['high']:.2f}"
        table.add_row(str(entry["trajectory"]), f"{entry['mean']:.2f}", band, str(entry["num_tasks"]))
    return table
