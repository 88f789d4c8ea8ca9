"""A finished or running experiment, as far as it takes to evaluate its agent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from envs import MetaEnv
from envs.cpus import usable_cpus
from rlkit.config.files import load_config
from rlkit.config.settings import Config
from rlkit.core.evaluation import Adaptation, Evaluator, Watch
from rlkit.launchers.build import make_envs
from rlkit.launchers.trained_agent import load_experiment
from rlkit.runs.folder import VARIANT_FILE, RunFolder
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.pytorch_util import tune_cpu
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.errors import UserError
from rlkit.util.records import IndexArray, LaneEnv
from rlkit.util.seeding import Stream, stream_seed


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

    def evaluation_tasks(self) -> IndexArray:
        return np.array(self.config.test_tasks)

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
    """Load what `folder` holds.

    Args:
        folder: an experiment's, of this project or of the reference.
        config_path: config to take in place of the folder's variant.json.
        overrides: KEY=VALUE texts that change it.

    Raises:
        UserError: config or weights are missing, unreadable, or do not belong together.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = RunFolder(folder)
    if config_path is None:
        files.require_own_settings()
    config = load_config(config_path or folder / VARIANT_FILE, overrides)
    agent = load_experiment(folder, config=config).agent
    tune_cpu(config.util_params.num_threads, usable_cpus())
    iteration = files.status.iteration or len(files.rows()) or 1
    return TrainedRun(config, agent, iteration, files.tasks or None)
