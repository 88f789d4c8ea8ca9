"""One whole iteration by phases, beside the products and the physics that it cannot do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import torch

from rlkit.config.settings import Config
from rlkit.util.records import Dims

from .products import Product, all_at_once, update_products
from .sampling import SamplingBench
from .timing import Case, interleave
from .update import build_phase, run_steps, steps_at_once

LANES = 30
SECONDS = 5.0


def measure(configs: Mapping[str, Config], device: torch.device) -> Iterator[tuple[str, Case]]:
    """Seconds per phase of an iteration: the time of a step, or a transition in LANES lanes, times their number."""
    for name, config in configs.items():
        algo = config.algo_params
        bench = SamplingBench(config, LANES, device)
        dims = Dims(bench.env.observation_dim, bench.env.action_dim)
        training = build_phase(config, dims, device)
        products = all_at_once(update_products(config, *dims, device, torch.float32), device)
        calls: dict[str, Product] = {"step": partial(run_steps, training), "products": products}
        timings = interleave(calls, seconds=2 * SECONDS, device=device)
        step, limit = timings.median("step") / steps_at_once(device), timings.median("products")
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
