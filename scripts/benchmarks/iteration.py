"""What an iteration takes: time by phases, memory of what it stores, and how cost grows with sizes and lanes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from rlkit.config.files import changed_config
from rlkit.config.settings import Config
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.launchers.build import make_envs
from rlkit.util.records import Dims

from . import physics, update
from .products import update_products
from .timing import MIB, Case, Cases, forget_peak, interleave, peak

LANES = 30
SECONDS = 5.0
SIZES = {
    "algo_params.meta_batch": (4, 8, 16, 32),
    "algo_params.batch_size": (64, 128, 256, 512),
    "net_size": (75, 150, 300, 600),
}
LANE_COUNTS = (5, 10, 30, 60, 128)
FLOAT_BYTES = 4


def measure_phases(configs: Mapping[str, Config], device: torch.device) -> Cases:
    """Seconds per phase of an iteration: the time of a step, or a transition in LANES lanes, times their number.

    The limits are the products and the physics that it cannot do without.
    """
    for name, config in configs.items():
        algo = config.algo_params
        bench = physics.SamplingBench(config, LANES, device)
        training = update.build_phase(config, device)
        step, products = partial(update.run_steps, training), update_products(config, bench.dims, device)
        timings = interleave({"step": step, "products": products}, seconds=2 * SECONDS, device=device)
        per_step, limit = timings["step"].median() / update.steps_at_once(device), timings["products"].median()
        collected = algo.num_tasks_sample * (
            algo.num_steps_prior + algo.num_steps_posterior + algo.num_extra_rl_steps_posterior
        )
        evaluated = 3 * config.n_eval_tasks * algo.num_evals * algo.num_steps_per_eval
        collect, evaluate = (bench.per_env_step(phase, SECONDS) for phase in ("collect", "evaluate"))
        phases = {
            "collect": (collected * collect.seconds, collected * collect.bare),
            "train": (algo.num_train_steps_per_itr * per_step, algo.num_train_steps_per_itr * limit),
            "evaluate": (evaluated * evaluate.seconds, evaluated * evaluate.bare),
        }
        for phase, (value, limit) in phases.items():
            yield f"{name}, {phase}", Case(value, limit or value, "s", "" if limit else "no physics to compare with")
        total, limit = np.sum(list(phases.values()), axis=0)
        yield f"{name}, whole iteration", Case(float(total), float(limit), "s")


def measure_memory(configs: Mapping[str, Config], device: torch.device) -> Cases:
    """Bytes of the replay buffer per stored transition, after an initial pool and after uneven growth."""
    for name, config in configs.items():
        forget_peak(device)
        env, algo = make_envs(config, num_envs=1), config.algo_params
        dims = Dims(env.observation_dim, env.action_dim)
        buffer = MultiTaskReplayBuffer(
            config.env_params.n_tasks,
            *dims,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=env.has_sparse_reward,
            device=device,
        )
        rng = np.random.default_rng(0)
        buffer.add(update.random_paths(np.arange(config.n_train_tasks), dims))
        for _ in range(20):
            buffer.add(update.random_paths(rng.choice(config.n_train_tasks, algo.num_tasks_sample), dims))
        stored = sum(buffer.size(task) for task in range(config.n_train_tasks))
        limit = FLOAT_BYTES * (2 * dims.obs + dims.action + 3)
        note = f"{stored:,} transitions, {buffer.num_bytes() / MIB:.1f} MiB{peak(device)}"
        yield name, Case(buffer.num_bytes() / stored, limit, "bytes", note)


def measure_scaling(configs: Mapping[str, Config], device: torch.device, seconds: float) -> Cases:
    """One size changed at a time, the others as the one config has them."""
    [config] = configs.values()
    for key, values in SIZES.items():
        changed = {f"{key.split('.')[-1]} {value}": changed_config(config, {key: value}) for value in values}
        yield from update.measure_step(changed, device, seconds, beside=False)
    yield from physics.measure_sampling({"collect": config}, "collect", LANE_COUNTS, device, seconds)
