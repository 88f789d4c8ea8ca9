"""Collection and evaluation beside bare physics of the same episodes, lanes and threads."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from envs import make_env
from envs.mujoco_env import MujocoMetaEnv
from rlkit.config.settings import Config
from rlkit.core.collector import Collector
from rlkit.core.evaluation import Evaluator
from rlkit.launchers.build import build_agent
from rlkit.samplers.path_sampler import PathSampler
from rlkit.util.errors import UserError
from rlkit.util.records import Dims

from .tape import Tape
from .timing import Case, interleave


class PerEnvStep(NamedTuple):
    """What an environment step takes in some phase."""

    seconds: float
    bare: float  # seconds of its physics alone, 0 where the family is not on MuJoCo
    spread: str


class SamplingBench:
    """Collector and evaluator of a config's environment."""

    def __init__(self, config: Config, lanes: int, device: torch.device) -> None:
        self.config, self.lanes, self._device = config, lanes, device
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
        dims = Dims(env.observation_dim, env.action_dim)
        agent = build_agent(config, dims, torch.Generator().manual_seed(0)).to(device)
        sampler = PathSampler(env, agent.actor)
        self._collector = Collector(sampler, agent, generator)
        self._evaluator = Evaluator(sampler, agent, generator, algo)
        self.tasks = np.arange(lanes) % config.env_params.n_tasks
        self.env_steps = 0

    def collect(self) -> None:
        """As many steps as one full episode per lane has, with z from the prior."""
        tasks = np.arange(min(self.lanes, self.config.env_params.n_tasks))
        episodes = -(-self.lanes // len(tasks))
        for paths in self._collector.from_prior(tasks, episodes * self.config.algo_params.max_path_length):
            self.env_steps += int(paths.length.sum())

    def evaluate(self) -> None:
        adaptation = self._evaluator.adapt(self.tasks)
        self.env_steps += sum(int(paths.length.sum()) for _, _, paths in adaptation.rounds)

    def per_env_step(self, phase: str, seconds: float) -> PerEnvStep:
        """Time `phase` ("collect" or "evaluate"), in turns with the bare physics of the same episodes."""
        counts: list[int] = []

        def counted() -> None:
            before = self.env_steps
            getattr(self, phase)()
            counts.append(self.env_steps - before)

        calls: dict[str, Callable[[], object]] = {phase: counted}
        if isinstance(self.env, MujocoMetaEnv):
            calls["physics"] = Tape(self.env, counted).play
        on_tape = float(sum(counts))
        timings = interleave(calls, seconds=seconds, device=self._device)
        bare = timings.median("physics") / on_tape if "physics" in calls else 0.0
        return PerEnvStep(timings.median(phase) / statistics.median(counts), bare, timings.spread(phase))


def measure(
    configs: Mapping[str, Config], phase: str, lane_counts: tuple[int, ...], device: torch.device, seconds: float
) -> Iterator[tuple[str, Case]]:
    """Time `phase` per environment step; yields cases as they are done.

    Args:
        configs: of families on MuJoCo, by name.
        phase: "collect" or "evaluate".
        lane_counts: each is a case.
        device: what the policy acts on.
        seconds: for each case.

    Raises:
        UserError: a family that is not on MuJoCo.
    """
    for name, config in configs.items():
        for lanes in lane_counts:
            bench = SamplingBench(config, lanes, device)
            if not isinstance(bench.env, MujocoMetaEnv):
                raise UserError(f"{phase}: {config.env_name} has no MuJoCo physics to compare with")
            took = bench.per_env_step(phase, seconds)
            note = f"{1 / took.seconds:,.0f} steps/s {took.spread}; {took.bare / took.seconds:.0%} of bare physics"
            yield f"{name}, {lanes} lanes", Case(1e6 * took.seconds, 1e6 * took.bare, "us/step", note)
