"""What a GPU makes of the gradient step: each precision, step by step, as a CUDA graph, and compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch

from envs import make_env
from rlkit.config.settings import Config
from rlkit.util.records import Dims

from .products import gigaflop, run_all, update_products
from .timing import Case, interleave
from .update import STEPS_ON_GPU, build_phase, do_nothing

MODES = ("eager", "graph", "compile")
MATMUL = {"float32": "highest", "tf32": "high", "bf16": "highest"}  # torch's name for the products of each precision
COMPARED_STEPS = 50
MOST_APART = 1e-5  # weights with and without a graph, after COMPARED_STEPS
MIB = 2**20


def measure(
    configs: Mapping[str, Config], device: torch.device, seconds: float, *, modes: Sequence[str] = MODES
) -> Iterator[tuple[str, Case]]:
    """Time the step of each config, precision and mode beside its bare products; yields cases as they are done."""
    for name, config in configs.items():
        dims = _dims(config)
        for precision, matmul in MATMUL.items():
            torch.set_float32_matmul_precision(matmul)
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            products = partial(run_all, update_products(config, *dims, device, dtype))
            for mode in modes:
                _forget_peak(device)
                phase = build_phase(config, dims, device, precision, mode)
                steps = STEPS_ON_GPU if device.type == "cuda" else 1
                calls = {"step": partial(phase.run, steps, do_nothing), "products": products}
                timings = interleave(calls, seconds=seconds, device=device)
                value, limit = timings.median("step") / steps, timings.median("products")
                note = f"{1 / value:,.1f} steps/s, {gigaflop(config, *dims) / value:,.0f} GFLOP/s{_peak(device)}"
                yield f"{name}, {precision}, {mode}", Case(1e3 * value, 1e3 * limit, "ms", note)


def compare(configs: Mapping[str, Config], device: torch.device) -> Iterator[tuple[str, Case]]:
    """How far apart the weights are after COMPARED_STEPS with and without a graph, beside what is allowed."""
    torch.set_float32_matmul_precision("highest")
    for name, config in configs.items():
        weights = []
        for mode in ("eager", "graph"):
            phase = build_phase(config, _dims(config), device, mode=mode)
            phase.start(0)
            phase.run(COMPARED_STEPS, do_nothing)
            networks = phase.trainer.networks().values()
            weights.append(torch.cat([weight.detach().flatten() for net in networks for weight in net.parameters()]))
        apart = (weights[0] - weights[1]).abs().max().item()
        yield name, Case(apart, MOST_APART, "", f"largest difference of a weight after {COMPARED_STEPS} steps")


def _dims(config: Config) -> Dims:
    env = make_env(config.env_name, 1, **config.env_params.model_dump())
    return Dims(env.observation_dim, env.action_dim)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> str:
    """The most memory of the device so far, as the end of a note."""
    return f", {torch.cuda.max_memory_allocated(device) / MIB:,.0f} MiB" if device.type == "cuda" else ""
