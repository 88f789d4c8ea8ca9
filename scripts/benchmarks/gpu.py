"""What a GPU makes of the gradient step: each precision, step by step, as a CUDA graph, and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch

from rlkit.config.settings import Config
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import RunError

from .products import gigaflop, update_products
from .timing import Case, Cases, forget_peak, interleave, peak
from .update import MODES, build_phase, dims_of, do_nothing, run_steps, steps_at_once

MATMUL = {"float32": "highest", "tf32": "high", "bf16": "highest"}  # torch's name for the products of each precision
COMPARED_STEPS = 50
MOST_APART = 1e-5  # weights with and without a graph, after COMPARED_STEPS
MOST_TIME = 0.95  # of a graph, of that without; as long says that it was not captured


def measure(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
    """Time the step in each mode, config and precision beside its bare products."""
    for mode in MODES:
        for name, config in configs.items():
            for precision in MATMUL:
                yield f"{name}, {precision}, {mode}", _step(config, device, seconds, precision, mode)


def _step(config: Config, device: torch.device, seconds: float, precision: str, mode: str) -> Case:
    torch.set_float32_matmul_precision(MATMUL[precision])
    if mode == "compile":
        torch.compiler.reset()  # what other sizes left behind makes sizes variable, and slow
    forget_peak(device)
    dims, steps = dims_of(config), steps_at_once(device)
    phase = build_phase(config, device, precision, mode)
    run_steps(phase)
    memory = peak(device)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    calls = {"step": partial(run_steps, phase), "products": update_products(config, dims, device, dtype)}
    timings = interleave(calls, seconds=seconds, device=device)
    value, limit = timings.median("step") / steps, timings.median("products")
    note = f"{1 / value:,.1f} steps/s, {gigaflop(config, dims) / value:,.0f} GFLOP/s{memory}"
    return Case(1e3 * value, 1e3 * limit, "ms", note)


def compare(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
    """A step with and without a graph: how far the weights come apart, and the time of both.

    Raises:
        RunError: when all is measured: weights come further apart than MOST_APART, or a graph is no faster.
    """
    torch.set_float32_matmul_precision("highest")
    wrong = []
    for name, config in configs.items():
        phases = {mode: build_phase(config, device, mode=mode) for mode in ("eager", "graph")}
        without, within = (_weights_after(phase) for phase in phases.values())
        apart = Case((without - within).abs().max().item(), MOST_APART, "", "largest difference of a weight")
        yield f"{name}, {COMPARED_STEPS} steps as a graph and without", apart
        calls = {mode: partial(run_steps, phase) for mode, phase in phases.items()}
        timings = interleave(calls, seconds=seconds, device=device)
        graph, eager = (1e3 * timings.median(mode) / steps_at_once(device) for mode in ("graph", "eager"))
        faster = Case(graph, eager, "ms", "the limit is the time without", timings.ratio("graph", "eager"))
        yield f"{name}, a step as a graph", faster
        if not apart.value <= MOST_APART:
            wrong.append(f"{name}: with and without a graph weights are {apart.value:.1e} apart")
        if not faster.over_limit <= MOST_TIME:
            wrong.append(f"{name}: a step as a graph takes {faster.over_limit:.2f} of the time without")
    if wrong:
        raise RunError("; ".join(wrong))


def _weights_after(phase: TrainingPhase) -> torch.Tensor:
    """All weights after COMPARED_STEPS, as one tensor."""
    phase.start(0)
    phase.run(COMPARED_STEPS, do_nothing)
    networks = phase.trainer.networks().values()
    return torch.cat([weight.detach().flatten() for network in networks for weight in network.parameters()])
