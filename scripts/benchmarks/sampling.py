"""Collection and evaluation beside bare physics of the same model, lanes and threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from benchmarks.timing import Case, interleave
from envs import make_env
from envs.mujoco_env import MujocoMetaEnv
from rlkit.core.config import Config
from rlkit.core.evaluation import Evaluator
from rlkit.samplers.collector import Collector
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.sac.builder import build_pearl


class SamplingBench:
    """Collector and evaluator of a config's environment, and the bare physics beside them."""

    def __init__(self, config: Config, lanes: int, device: torch.device) -> None:
        """Build them with `lanes` lanes."""
        self.config, self.lanes = config, lanes
        algo, threads = config.algo_params, config.util_params.num_threads
        env = make_env(
            config.env_name,
            lanes,
            max_path_length=algo.max_path_length,
            autoreset_mode=AutoresetMode.DISABLED,
            num_threads=threads,
            **config.env_params.model_dump(),
        )
        self.env = env
        generator = torch.Generator(device).manual_seed(0)
        agent = build_pearl(
            config, env.observation_dim, env.action_dim, device, torch.Generator().manual_seed(0)
        ).agent
        sampler = PathSampler(env, agent)
        self._collector = Collector(sampler, agent, generator)
        self._evaluator = Evaluator(sampler, agent, generator, algo)
        self.tasks = np.arange(lanes) % config.env_params.n_tasks
        self.env_steps = 0

    def collect(self) -> None:
        """One episode per lane with z from the prior."""
        tasks = np.arange(min(self.lanes, self.config.env_params.n_tasks))
        episodes = -(-self.lanes // len(tasks))
        for paths in self._collector.from_prior(tasks, episodes * self.config.algo_params.max_path_length):
            self.env_steps += int(paths.length.sum())

    def evaluate(self) -> None:
        """Adapt in every lane."""
        adaptation = self._evaluator.adapt(self.tasks)
        self.env_steps += sum(int(paths.length.sum()) for _, _, paths in adaptation.rounds)

    def physics(self) -> None:
        """`max_path_length` bare steps of all lanes under random actions, in episodes of their own."""
        env = self.env
        assert isinstance(env, MujocoMetaEnv), f"{self.config.env_name} has no physics to compare with"
        env.reset()
        actions = np.random.default_rng(0).uniform(
            -1, 1, (self.config.algo_params.max_path_length, *env.physics.ctrl.shape)
        )
        for action in actions:
            env.physics.ctrl[:] = action
            env.physics.step(env.frame_skip)
        self.env_steps += self.config.algo_params.max_path_length * self.lanes
        env.reset()


def measure(
    configs: Mapping[str, Config], phase: str, lane_counts: tuple[int, ...], device: torch.device, seconds: float
) -> Iterator[tuple[str, Case]]:
    """Time `phase` ("collect" or "evaluate") per environment step; yields cases as they are done."""
    for name, config in configs.items():
        for lanes in lane_counts:
            bench = SamplingBench(config, lanes, device)
            counts: dict[str, list[int]] = {phase: [], "physics": []}
            timings = interleave(
                {key: partial(_counted, bench, key, counts[key]) for key in counts}, seconds=seconds, device=device
            )
            per_step = {key: timings.median(key) / float(np.median(counts[key])) for key in counts}
            share = per_step["physics"] / per_step[phase]
            note = f"{1 / per_step[phase]:,.0f} steps/s {timings.spread(phase)}; {share:.0%} of bare physics"
            yield f"{name}, {lanes} lanes", Case(1e6 * per_step[phase], 1e6 * per_step["physics"], "us/step", note)


def _counted(bench: SamplingBench, phase: str, counts: list[int]) -> None:
    """Run a phase and note how many environment steps it took."""
    before = bench.env_steps
    getattr(bench, phase)()
    counts.append(bench.env_steps - before)
