"""The gradient step: this project's, and a plain one, beside the matrix products that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch

from benchmarks.plain import PlainUpdate
from benchmarks.products import gigaflop, run_all, update_products
from benchmarks.timing import Case, Timings, interleave
from envs import make_env
from rlkit.core.config import Config
from rlkit.core.records import Paths
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.torch.pytorch_util import use_fast_float32_products
from rlkit.torch.sac.builder import build_pearl
from rlkit.torch.sac.pearl import PEARLTrainer
from rlkit.torch.sac.training_step import TrainingStep

STEPS_STORED = 1000  # transitions per task that the batches are drawn from


def measure(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Iterator[tuple[str, Case]]:
    """Time the step of each config, sampling of its batches included; yields cases as they are done.

    The limit is the fastest way that the library has on this machine for the products, at float32 accuracy.
    """
    paths = {"default": "highest"}
    if device.type == "cpu" and use_fast_float32_products():
        paths["ours"] = "medium"
    for name, config in configs.items():
        env = make_env(config.env_name, 1, **config.env_params.model_dump())
        dims = (env.observation_dim, env.action_dim)
        step = build_step(config, *dims, device)
        assert isinstance(step.trainer, PEARLTrainer), "the plain step has a value function"
        plain = partial(_plain_step, PlainUpdate(step.trainer), step)
        products = partial(run_all, update_products(config, *dims, device, torch.float32))
        calls = {
            "step": partial(_with_precision, paths.get("ours", "highest"), step.step),
            "plain": partial(_with_precision, "highest", plain),
        }
        for path, precision in paths.items():
            calls[f"products, {path}"] = partial(_with_precision, precision, products)
        timings = interleave(calls, seconds=seconds, device=device)
        limit = min((key for key in calls if key.startswith("products")), key=timings.median)
        speed = gigaflop(config, *dims) / timings.median(limit)
        yield name, _case(timings, "step", limit, f"limit: {limit}, {speed:,.0f} GFLOP/s")
        yield f"{name}, plain", _case(timings, "plain", limit, "the step as first written, library defaults")


def _plain_step(plain: PlainUpdate, step: TrainingStep) -> None:
    for batch, context, noise in step.draw():
        assert isinstance(context, torch.Tensor), "an encoder without memory of earlier pieces"
        plain.update(batch, context, noise)


def _with_precision(precision: str, call: Callable[[], object]) -> None:
    torch.set_float32_matmul_precision(precision)
    call()


def _case(timings: Timings, name: str, limit: str, note: str) -> Case:
    rate = f"{1 / timings.median(name):,.1f} steps/s {timings.spread(name)}"
    return Case(
        1e3 * timings.median(name), 1e3 * timings.median(limit), "ms", f"{rate}; {note}", timings.ratio(name, limit)
    )


def build_step(config: Config, obs_dim: int, action_dim: int, device: torch.device) -> TrainingStep:
    """A training step as the launcher builds it, on random data."""
    trainer = build_pearl(config, obs_dim, action_dim, device, torch.Generator().manual_seed(0))
    algo, tasks = config.algo_params, np.arange(config.n_train_tasks)
    replay, encoder = (
        MultiTaskReplayBuffer(
            config.env_params.n_tasks,
            obs_dim,
            action_dim,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=algo.sparse_rewards,
            device=device,
        )
        for _ in range(2)
    )
    for buffer in (replay, encoder):
        buffer.add(random_paths(tasks, obs_dim, action_dim))
    generator = torch.Generator(device).manual_seed(0)
    return TrainingStep(trainer, replay, ContextSampler(encoder, algo), tasks, algo, generator)


def random_paths(tasks: np.ndarray, obs_dim: int, action_dim: int) -> Paths:
    """An episode of STEPS_STORED random transitions for each task."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((len(tasks), STEPS_STORED, *shape), dtype=np.float32)

    return Paths(
        task=tasks,
        length=np.full(len(tasks), STEPS_STORED),
        obs=normal(obs_dim),
        action=np.tanh(normal(action_dim)),
        reward=normal(),
        next_obs=normal(obs_dim),
        terminal=np.zeros((len(tasks), STEPS_STORED), dtype=np.float32),
        sparse_reward=normal(),
    )
