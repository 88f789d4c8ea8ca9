"""The gradient step: this project's, and a plain one, beside the matrix products that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch

from rlkit.config.files import changed_config
from rlkit.config.settings import Config
from rlkit.launchers.build import build, make_envs
from rlkit.torch.pytorch_util import use_fast_float32_products
from rlkit.torch.sac.plain import PlainUpdate
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import UserError
from rlkit.util.records import Dims, Paths

from .products import gigaflop, update_products
from .timing import Case, Cases, Timings, interleave

MODES = {"eager": "off", "graph": "auto", "compile": "on"}  # util_params.compile; what a machine may lack comes last
STEPS_ON_GPU = 100  # timed together there: they are launched without waiting for one another
STEPS_STORED = 1000  # transitions per task that the batches are drawn from


def measure(configs: Mapping[str, Config], device: torch.device, seconds: float, *, beside: bool = True) -> Cases:
    """Time the step of each config, sampling of its batches included.

    The limit is the fastest way that the library has on this machine for the products, at float32 accuracy. `beside`
    measures a plain step and one in bfloat16 too.
    """
    limits = {"products, default": "highest"}
    if device.type == "cpu" and use_fast_float32_products():
        limits["products, ours"] = "medium"
    ours = limits.get("products, ours", "highest")
    for name, config in configs.items():
        dims, phase = dims_of(config), build_phase(config, device)
        calls = {"step": partial(_with_precision, ours, partial(run_steps, phase))}
        if beside:
            if config.algo_params.critic != "v" or config.algo_params.encoder != "mlp":
                raise UserError(f'update: {name}: the products beside it are of critic "v" and encoder "mlp" only')
            plain = partial(_plain_step, PlainUpdate(phase.trainer), phase)
            calls["plain"] = partial(_with_precision, "highest", plain)
            calls["bf16"] = partial(run_steps, build_phase(config, device, precision="bf16"))
        products = update_products(config, dims, device)
        calls |= {path: partial(_with_precision, precision, products) for path, precision in limits.items()}
        timings = interleave(calls, seconds=seconds, device=device)
        limit = min(limits, key=timings.median)
        speed = gigaflop(config, dims) / timings.median(limit)
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


def dims_of(config: Config) -> Dims:
    env = make_envs(config, num_envs=1)
    return Dims(env.observation_dim, env.action_dim)


def build_phase(
    config: Config, device: torch.device, precision: str = "float32", mode: str = "graph"
) -> TrainingPhase:
    """A training phase as the launcher builds it, on random data; `mode` is one of MODES."""
    settings = {"seed": 0, "util_params.precision": precision, "util_params.compile": MODES[mode]}
    parts = build(changed_config(config, settings), device=device)
    parts.close()
    paths = random_paths(np.arange(config.n_train_tasks), dims_of(config))
    for buffer in (parts.experience.replay, parts.experience.recent):
        buffer.add(paths)
    parts.training.start(0)
    return parts.training


def random_paths(tasks: np.ndarray, dims: Dims) -> Paths:
    """An episode of STEPS_STORED random transitions for each task."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((len(tasks), STEPS_STORED, *shape), dtype=np.float32)

    return Paths(
        task=tasks,
        length=np.full(len(tasks), STEPS_STORED),
        obs=normal(dims.obs),
        action=np.tanh(normal(dims.action)),
        reward=normal(),
        next_obs=normal(dims.obs),
        terminal=np.zeros((len(tasks), STEPS_STORED), dtype=np.float32),
        sparse_reward=normal(),
    )
