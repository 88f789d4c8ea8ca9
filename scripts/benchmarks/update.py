"""The gradient step: this project's, and a plain one, beside the matrix products that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch

from envs import make_env
from rlkit.config.settings import Config
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.launchers.build import build_pearl
from rlkit.torch.pytorch_util import use_fast_float32_products
from rlkit.torch.sac.plain import PlainUpdate
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import UserError
from rlkit.util.records import Dims, Paths

from .products import all_at_once, gigaflop, update_products
from .timing import Case, Timings, interleave

STEPS_ON_GPU = 100  # timed together there: they are launched without waiting for one another
STEPS_STORED = 1000  # transitions per task that the batches are drawn from


def measure(
    configs: Mapping[str, Config], device: torch.device, seconds: float, *, beside: bool = True
) -> Iterator[tuple[str, Case]]:
    """Time the step of each config, sampling of its batches included; yields cases as they are done.

    The limit is the fastest way that the library has on this machine for the products, at float32 accuracy. `beside`
    measures a plain step and one in bfloat16 too.
    """
    paths = {"default": "highest"}
    if device.type == "cpu" and use_fast_float32_products():
        paths["ours"] = "medium"
    ours = paths.get("ours", "highest")
    for name, config in configs.items():
        env = make_env(config.env_name, 1, **config.env_params.model_dump())
        dims = Dims(env.observation_dim, env.action_dim)
        phase = build_phase(config, dims, device)
        calls = {"step": partial(_with_precision, ours, partial(run_steps, phase))}
        if beside:
            if config.algo_params.critic != "v" or config.algo_params.encoder != "mlp":
                raise UserError(f'update: {name}: the products beside it are of critic "v" and encoder "mlp" only')
            plain = partial(_plain_step, PlainUpdate(phase.trainer), phase)
            calls["plain"] = partial(_with_precision, "highest", plain)
            calls["bf16"] = partial(run_steps, build_phase(config, dims, device, precision="bf16"))
        products = all_at_once(update_products(config, *dims, device, torch.float32), device)
        for path, precision in paths.items():
            calls[f"products, {path}"] = partial(_with_precision, precision, products)
        timings = interleave(calls, seconds=seconds, device=device)
        limit = min((key for key in calls if key.startswith("products")), key=timings.median)
        speed = gigaflop(config, *dims) / timings.median(limit)
        yield name, _case(timings, "step", limit, f"limit: {limit}, {speed:,.0f} GFLOP/s", device)
        if beside:
            yield f"{name}, plain", _case(timings, "plain", limit, "as first written, library defaults", device)
            share = timings.ratio("bf16", "step")
            yield f"{name}, bf16", _case(timings, "bf16", limit, f"{share:.2f} of the float32 step's time", device)


def steps_at_once(device: torch.device) -> int:
    """How many steps are timed together."""
    return STEPS_ON_GPU if device.type == "cuda" else 1


def run_steps(phase: TrainingPhase) -> None:
    """Take as many steps as are timed together."""
    phase.run(steps_at_once(phase.trainer.agent.device), do_nothing)


def do_nothing() -> None:
    """After each step: nothing to do."""


def _plain_step(plain: PlainUpdate, phase: TrainingPhase) -> None:
    for batch, context, noise in phase.draw():
        plain.update(batch, context, noise)


def _with_precision(precision: str, call: Callable[[], object]) -> None:
    torch.set_float32_matmul_precision(precision)
    call()


def _case(timings: Timings, name: str, limit: str, note: str, device: torch.device) -> Case:
    steps = 1 if name == "plain" else steps_at_once(device)
    value, bound = 1e3 * timings.median(name) / steps, 1e3 * timings.median(limit)
    note = f"{1e3 / value:,.1f} steps/s {timings.spread(name)}; {note}"
    return Case(value, bound, "ms", note, timings.ratio(name, limit) / steps)


def build_phase(
    config: Config, dims: Dims, device: torch.device, precision: str = "float32", mode: str = "graph"
) -> TrainingPhase:
    """A training phase as the launcher builds it, on random data; `mode` is "eager", "graph" or "compile"."""
    trainer = build_pearl(config, dims, device, torch.Generator().manual_seed(0))
    if mode == "compile":
        trainer.compile()
    algo, tasks = config.algo_params, np.arange(config.n_train_tasks)
    replay, recent = (
        MultiTaskReplayBuffer(
            config.env_params.n_tasks,
            *dims,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=algo.sparse_rewards,
            device=device,
        )
        for _ in range(2)
    )
    for buffer in (replay, recent):
        buffer.add(random_paths(tasks, *dims))
    generator = torch.Generator(device).manual_seed(0)
    return TrainingPhase(
        trainer,
        replay,
        ContextSampler(recent, algo),
        tasks,
        algo,
        generator,
        precision=precision,
        use_graph=mode != "eager",
    )


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
