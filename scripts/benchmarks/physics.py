"""Environment steps, collection and evaluation beside bare physics of the same episodes, lanes and threads."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

import mjbatch
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs import make_env
from envs.mujoco_env import MujocoMetaEnv
from envs.physics import FloatArray, IndexArray
from rlkit.config.settings import Config
from rlkit.core.collector import Collector
from rlkit.core.evaluation import Evaluator
from rlkit.launchers.build import build_agent, make_envs
from rlkit.samplers.path_sampler import PathSampler
from rlkit.util.errors import UserError
from rlkit.util.records import Dims

from .timing import Case, Cases, interleave, spread

STEP_LANES, STEPS, REPEATS = 32, 20, 15  # of environment steps alone: lanes, steps summed to one ratio, ratios

Write = tuple[NDArray[Any], Any, NDArray[Any]]
"""An array, rows of it, and what the physics found there."""


def taped(env: MujocoMetaEnv, phase: Callable[[], object]) -> Callable[[], None]:
    """Run `phase`, which acts in `env`; returns a call that asks the same of its physics, with nothing in between.

    The resets and steps come with their states, controls and lanes, so the very same episodes are simulated again.
    Bare physics has to be measured at these: a lying ant costs more than a walking one, and lanes that have ended
    cost nothing.
    """
    calls: list[tuple[list[Write], Callable[[], None]]] = []
    physics, step, reset = env.physics, env.physics.step, env.physics.reset

    def do(call: Callable[..., None], *arguments: Any, found: list[Write]) -> None:
        calls.append((found, partial(call, *deepcopy(arguments))))
        call(*arguments)

    def noted_step(num_substeps: int, sims: IndexArray | None = None) -> None:
        do(step, num_substeps, sims, found=[(physics.ctrl, slice(None), physics.ctrl.copy())])

    def noted_reset(sims: IndexArray, qpos: FloatArray, qvel: FloatArray) -> None:
        params = map(physics.param, env.per_task_params)
        do(reset, sims, qpos, qvel, found=[(param, sims.copy(), param[sims]) for param in params])

    def play() -> None:
        for found, call in calls:
            for array, rows, values in found:
                array[rows] = values
            call()

    with patch.multiple(physics, step=noted_step, reset=noted_reset):
        phase()
    return play


class PerEnvStep(NamedTuple):
    """What an environment step takes in some phase."""

    seconds: float
    bare: float  # seconds of its physics alone, 0 where the family is not on MuJoCo
    spread: str


class SamplingBench:
    """Collector and evaluator of a config's environment."""

    def __init__(self, config: Config, lanes: int, device: torch.device) -> None:
        self.config, self.lanes, self._device = config, lanes, device
        self.env = make_envs(config, num_envs=lanes)
        self.dims = Dims(self.env.observation_dim, self.env.action_dim)
        generator = torch.Generator(device).manual_seed(0)
        agent = build_agent(config, self.dims, torch.Generator().manual_seed(0)).to(device)
        sampler = PathSampler(self.env, agent.actor)
        self._collector = Collector(sampler, agent, generator)
        self._evaluator = Evaluator(sampler, agent, generator, config.algo_params)

    def collect(self) -> int:
        """As many steps as one full episode per lane has, with z from the prior; returns how many there were."""
        tasks = np.arange(min(self.lanes, self.config.env_params.n_tasks))
        episodes = -(-self.lanes // len(tasks))
        paths = self._collector.from_prior(tasks, episodes * self.config.algo_params.max_path_length)
        return sum(int(some.length.sum()) for some in paths)

    def evaluate(self) -> int:
        """Adapt to a task in each lane; returns how many steps there were."""
        adaptation = self._evaluator.adapt(np.arange(self.lanes) % self.config.env_params.n_tasks)
        return sum(int(paths.length.sum()) for _, _, paths in adaptation.rounds)

    def per_env_step(self, phase: str, seconds: float) -> PerEnvStep:
        """Time `phase` ("collect" or "evaluate"), in turns with the bare physics of the same episodes."""
        counts: list[int] = []

        def counted() -> None:
            counts.append(getattr(self, phase)())

        calls: dict[str, Callable[[], object]] = {phase: counted}
        if isinstance(self.env, MujocoMetaEnv):
            calls["physics"] = taped(self.env, counted)
        on_tape = float(sum(counts))
        timings = interleave(calls, seconds=seconds, device=self._device)
        bare = timings["physics"].median() / on_tape if "physics" in calls else 0.0
        return PerEnvStep(timings[phase].median() / statistics.median(counts), bare, spread(timings[phase]))


def measure_sampling(
    configs: Mapping[str, Config], phase: str, lane_counts: tuple[int, ...], device: torch.device, seconds: float
) -> Cases:
    """Time `phase` ("collect" or "evaluate") per environment step, each config in so many lanes.

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


def measure_steps(configs: Mapping[str, Config]) -> Cases:
    """Time `MetaEnv.step` (observation, reward, termination, no autoreset) against `mjbatch.Batch.step`.

    The two take turns within one process, from the same states under the same random actions, so that they simulate
    the same and other load on the machine meets both. Lanes that have ended are reset outside the timing.

    Raises:
        UserError: a family that is not on MuJoCo.
    """
    for name, config in configs.items():
        env = make_env(config.env_name, STEP_LANES, autoreset_mode=AutoresetMode.DISABLED)
        if not isinstance(env, MujocoMetaEnv):
            raise UserError(f"envs: {config.env_name} has no MuJoCo physics to compare with")
        totals = _seconds_of_steps(env)
        bare, full = np.median(totals, axis=0) / (STEP_LANES * STEPS)
        note = f"{1 / full:,.0f} steps/s, bare {1 / bare:,.0f}"
        ratio = float(np.median(totals[:, 1] / totals[:, 0]))
        yield name, Case(float(1e6 * full), float(1e6 * bare), "us/step", note, ratio)


def _seconds_of_steps(env: MujocoMetaEnv) -> NDArray[np.float64]:
    """Seconds of STEPS bare steps and of as many full ones, (REPEATS, 2)."""
    raw = mjbatch.Batch(env.model, env.num_envs, 0)
    raw_qpos, raw_qvel, raw_ctrl = raw.bind("qpos"), raw.bind("qvel"), raw.bind("ctrl")
    rng = np.random.default_rng(0)
    env.reset(seed=0)

    def one_step() -> tuple[float, float]:
        actions = rng.uniform(-1.0, 1.0, (env.num_envs, env.action_dim))
        raw_qpos[:], raw_qvel[:] = env.physics.qpos, env.physics.qvel
        raw_ctrl[:] = env.scaled(actions)
        start = time.perf_counter()
        raw.step(nstep=env.frame_skip)
        between = time.perf_counter()
        _, _, terminations, truncations, _ = env.step(actions)
        end = time.perf_counter()
        ended = terminations | truncations
        if ended.any():
            env.reset(options={"reset_mask": ended})
        return between - start, end - between

    one_step()
    return np.array([np.sum([one_step() for _ in range(STEPS)], axis=0) for _ in range(REPEATS)])
