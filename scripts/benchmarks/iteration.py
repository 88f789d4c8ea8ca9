"""One whole iteration by phases, beside the products and the physics that it cannot do without."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import torch

from benchmarks.products import run_all, update_products
from benchmarks.sampling import SamplingBench
from benchmarks.timing import Case, interleave
from benchmarks.update import build_step
from envs.mujoco_env import MujocoMetaEnv
from rlkit.core.config import Config

LANES = 30


def measure(configs: Mapping[str, Config], device: torch.device) -> Iterator[tuple[str, Case]]:
    """Seconds per phase of an iteration: the time of a step or a transition, times their number."""
    for name, config in configs.items():
        algo = config.algo_params
        bench = SamplingBench(config, LANES, device)
        step = build_step(config, bench.env.observation_dim, bench.env.action_dim, device)
        products = update_products(config, bench.env.observation_dim, bench.env.action_dim, device, torch.float32)
        timings = interleave(
            {"step": step.step, "products": partial(run_all, products)},
            seconds=10.0,
            device=device,
        )
        collected = algo.num_tasks_sample * (
            algo.num_steps_prior + algo.num_steps_posterior + algo.num_extra_rl_steps_posterior
        )
        evaluated = 3 * config.n_eval_tasks * algo.num_evals * algo.num_steps_per_eval
        physics = _per_env_step(bench, "physics") if isinstance(bench.env, MujocoMetaEnv) else 0.0
        phases = {
            "collect": (collected * _per_env_step(bench, "collect"), collected * physics),
            "train": tuple(algo.num_train_steps_per_itr * timings.median(key) for key in ("step", "products")),
            "evaluate": (evaluated * _per_env_step(bench, "evaluate"), evaluated * physics),
        }
        for phase, (value, limit) in phases.items():
            yield f"{name}, {phase}", Case(value, max(limit, 1e-9), "s")
        total, limit = np.sum(list(phases.values()), axis=0)
        yield f"{name}, whole iteration", Case(float(total), float(limit), "s")


def _per_env_step(bench: SamplingBench, phase: str) -> float:
    rates = []
    for _ in range(4):
        before, start = bench.env_steps, time.perf_counter()
        getattr(bench, phase)()
        rates.append((time.perf_counter() - start) / (bench.env_steps - before))
    return float(np.median(rates[1:]))
