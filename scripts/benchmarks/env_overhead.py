"""What a full environment step costs beside the bare physics step of the same model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import mjbatch
import numpy as np
from gymnasium.vector import AutoresetMode

import envs
from envs.mujoco_env import MujocoMetaEnv
from rlkit.config.settings import Config
from rlkit.util.errors import UserError

from .timing import Case


class Overhead(NamedTuple):
    """Environment steps per second (lanes times calls), bare and full, and how much more a full one costs."""

    env_name: str
    raw_rate: float
    env_rate: float
    ratio: float


def measure_overhead(
    env_name: str, *, num_envs: int = 32, num_threads: int = 0, steps: int = 20, repeats: int = 15
) -> Overhead:
    """Time `MetaEnv.step` (observation, reward, termination, no autoreset) against `mjbatch.Batch.step`.

    The two take turns within one process, from the same states under the same random actions, so that they simulate
    the same and other load on the machine meets both. Lanes that have ended are reset outside the timing.

    Args:
        env_name: a family on MuJoCo.
        num_envs: simulations stepped together.
        num_threads: worker threads of each; 0 takes every logical CPU.
        steps: steps summed to one ratio.
        repeats: number of ratios, of which the median is returned.

    Raises:
        UserError: a family that is not on MuJoCo.
    """
    env = envs.make_env(env_name, num_envs, num_threads=num_threads, autoreset_mode=AutoresetMode.DISABLED)
    if not isinstance(env, MujocoMetaEnv):
        raise UserError(f"envs: {env_name} has no MuJoCo physics to compare with")
    raw = mjbatch.Batch(env.model, num_envs, num_threads)
    raw_qpos, raw_qvel, raw_ctrl = raw.bind("qpos"), raw.bind("qvel"), raw.bind("ctrl")
    rng = np.random.default_rng(0)
    env.reset(seed=0)

    def one_step() -> tuple[float, float]:
        actions = rng.uniform(-1.0, 1.0, (num_envs, env.action_dim))
        raw_qpos[:], raw_qvel[:] = env.physics.qpos, env.physics.qvel
        raw_ctrl[:] = env.scaled(actions)
        raw_seconds, _ = timed(lambda: raw.step(nstep=env.frame_skip))
        env_seconds, (_, _, terminations, truncations, _) = timed(lambda: env.step(actions))
        ended = terminations | truncations
        if ended.any():
            env.reset(options={"reset_mask": ended})
        return raw_seconds, env_seconds

    one_step()
    totals = [np.sum([one_step() for _ in range(steps)], axis=0) for _ in range(repeats)]
    raw_seconds, env_seconds = np.median(totals, axis=0)
    lane_steps = num_envs * steps
    ratio = statistics.median(float(ours / bare) for bare, ours in totals)
    return Overhead(env_name, lane_steps / float(raw_seconds), lane_steps / float(env_seconds), ratio)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that `call()` takes, and what it returns."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def measure(configs: Mapping[str, Config]) -> Iterator[tuple[str, Case]]:
    """Time a full step of each config's environment; yields cases as they are done."""
    for name, config in configs.items():
        overhead = measure_overhead(config.env_name)
        note = f"{overhead.env_rate:,.0f} steps/s, bare {overhead.raw_rate:,.0f}"
        yield name, Case(1e6 / overhead.env_rate, 1e6 / overhead.raw_rate, "us/step", note, overhead.ratio)
