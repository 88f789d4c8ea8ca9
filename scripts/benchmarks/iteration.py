"""One whole iteration by phases, and how the cost of a step and of collecting grows with sizes and lanes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from rlkit.config.files import changed_config
from rlkit.config.settings import Config

from . import physics, update
from .products import update_products
from .timing import Case, Cases, interleave

LANES = 30
SECONDS = 5.0
SIZES = {
    "algo_params.meta_batch": (4, 8, 16, 32),
    "algo_params.batch_size": (64, 128, 256, 512),
    "net_size": (75, 150, 300, 600),
}
LANE_COUNTS = (5, 10, 30, 60, 128)


def measure(configs: Mapping[str, Config], device: torch.device) -> Cases:
    """Seconds per phase of an iteration: the time of a step, or a transition in LANES lanes, times their number.

    The limits are the products and the physics that it cannot do without.
    """
    for name, config in configs.items():
        algo = config.algo_params
        bench = physics.SamplingBench(config, LANES, device)
        training = update.build_phase(config, device)
        calls = {
            "step": partial(update.run_steps, training),
            "products": update_products(config, bench.dims, device),
        }
        timings = interleave(calls, seconds=2 * SECONDS, device=device)
        step, limit = timings.median("step") / update.steps_at_once(device), timings.median("products")
        collected = algo.num_tasks_sample * (
            algo.num_steps_prior + algo.num_steps_posterior + algo.num_extra_rl_steps_posterior
        )
        evaluated = 3 * config.n_eval_tasks * algo.num_evals * algo.num_steps_per_eval
        collect, evaluate = (bench.per_env_step(phase, SECONDS) for phase in ("collect", "evaluate"))
        phases = {
            "collect": (collected * collect.seconds, collected * collect.bare),
            "train": (algo.num_train_steps_per_itr * step, algo.num_train_steps_per_itr * limit),
            "evaluate": (evaluated * evaluate.seconds, evaluated * evaluate.bare),
        }
        for phase, (value, limit) in phases.items():
            yield f"{name}, {phase}", Case(value, limit or value, "s", "" if limit else "no physics to compare with")
        total, limit = np.sum(list(phases.values()), axis=0)
        yield f"{name}, whole iteration", Case(float(total), float(limit), "s")


def measure_scaling(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
    """One size changed at a time, the others as the one config has them."""
    [config] = configs.values()
    for key, values in SIZES.items():
        changed = {f"{key.split('.')[-1]} {value}": changed_config(config, {key: value}) for value in values}
        yield from update.measure(changed, device, seconds, beside=False)
    yield from physics.measure_sampling({"collect": config}, "collect", LANE_COUNTS, device, seconds)
