"""The gradient step beside the matrix products that it needs: with a plain one, and what a GPU makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import torch

from rlkit.config.files import changed_config
from rlkit.config.settings import Config
from rlkit.launchers.build import build, make_envs
from rlkit.torch.pytorch_util import use_fast_float32_products
from rlkit.torch.sac.plain import PlainUpdate
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import RunError, UserError
from rlkit.util.records import Dims, Paths

from .products import gigaflop, update_products
from .timing import Case, Cases, forget_peak, interleave, peak, spread

MODES = {"eager": "off", "graph": "auto", "compile": "on"}  # util_params.compile; what a machine may lack comes last
STEPS_ON_GPU = 100  # timed together there: they are launched without waiting for one another
STEPS_STORED = 1000  # transitions per task that the batches are drawn from
MATMUL = {"float32": "highest", "tf32": "high", "bf16": "highest"}  # torch's name for the products of each precision
COMPARED_STEPS = 50
MOST_APART = 1e-5  # weights with and without a graph, after COMPARED_STEPS
MOST_TIME = 0.95  # of a graph, of that without; as long says that it was not captured


def measure_step(
    configs: Mapping[str, Config], device: torch.device, seconds: float, *, beside: bool = True
) -> Cases:
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
        limit = timings[[*limits]].median().idxmin()
        speed = gigaflop(config, dims) / timings[limit].median()
        notes = {"step": f"limit: {limit}, {speed:,.0f} GFLOP/s"}
        if beside:
            share = (timings["bf16"] / timings["step"]).median()
            notes["plain"] = "as first written, library defaults"
            notes["bf16"] = f"{share:.2f} of the float32 step's time"
        for way, note in notes.items():
            yield name if way == "step" else f"{name}, {way}", _step_case(timings, way, limit, note, device)


def _plain_step(plain: PlainUpdate, phase: TrainingPhase) -> None:
    for batch, context, noise in phase.draw():
        plain.update(batch, context, noise)


def _with_precision(precision: str, call: Callable[[], object]) -> None:
    torch.set_float32_matmul_precision(precision)
    call()


def _step_case(timings: pd.DataFrame, name: str, limit: str, note: str, device: torch.device) -> Case:
    steps = 1 if name == "plain" else steps_at_once(device)
    value, bound = 1e3 * timings[name].median() / steps, 1e3 * timings[limit].median()
    note = f"{1e3 / value:,.1f} steps/s {spread(timings[name])}; {note}"
    return Case(value, bound, "ms", note, (timings[name] / timings[limit]).median() / steps)


def measure_modes(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
    """Time the step in each mode, config and precision beside its bare products."""
    for mode in MODES:
        for name, config in configs.items():
            for precision in MATMUL:
                yield f"{name}, {precision}, {mode}", _mode_case(config, device, seconds, precision, mode)


def _mode_case(config: Config, device: torch.device, seconds: float, precision: str, mode: str) -> Case:
    torch.set_float32_matmul_precision(MATMUL[precision])
    if mode == "compile":
        torch.compiler.reset()  # what other sizes left behind makes sizes variable, and slow
    forget_peak(device)
    dims, steps = dims_of(config), steps_at_once(device)
    phase = build_phase(config, device, precision, mode)
    run_steps(phase)
    memory = peak(device)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    products = update_products(config, dims, device, dtype)
    timings = interleave({"step": partial(run_steps, phase), "products": products}, seconds=seconds, device=device)
    value, limit = timings["step"].median() / steps, timings["products"].median()
    note = f"{1 / value:,.1f} steps/s, {gigaflop(config, dims) / value:,.0f} GFLOP/s{memory}"
    return Case(1e3 * value, 1e3 * limit, "ms", note)


def compare_graph(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
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
        graph, eager = (1e3 * timings[mode].median() / steps_at_once(device) for mode in ("graph", "eager"))
        ratio = (timings["graph"] / timings["eager"]).median()
        faster = Case(graph, eager, "ms", "the limit is the time without", ratio)
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


def steps_at_once(device: torch.device) -> int:
    """How many steps are timed together."""
    return STEPS_ON_GPU if device.type == "cuda" else 1


def run_steps(phase: TrainingPhase) -> None:
    """Take as many steps as are timed together."""
    phase.run(steps_at_once(phase.trainer.agent.device), do_nothing)


def do_nothing() -> None:
    """After each step: nothing to do."""


def dims_of(config: Config) -> Dims:
    env = make_envs(config, num_envs=1)
    return Dims(env.observation_dim, env.action_dim)


def build_phase(
    config: Config, device: torch.device, precision: str = "float32", mode: str = "graph"
) -> TrainingPhase:
    """A training phase as the launcher builds it, on random data; `mode` is one of MODES."""
    settings = {"seed": 0, "util_params.precision": precision, "util_params.compile": MODES[mode]}
    parts = build(changed_config(config, settings), device=device)
    env = parts.envs[0]
    paths = random_paths(np.arange(config.n_train_tasks), Dims(env.observation_dim, env.action_dim))
    parts.close()
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
