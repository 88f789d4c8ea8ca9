"""Memory of the replay buffer beside the bytes of what it stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from rlkit.config.settings import Config
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.launchers.build import make_envs
from rlkit.util.records import Dims

from .timing import MIB, Case, Cases, forget_peak, peak
from .update import random_paths

FLOAT_BYTES = 4


def measure(configs: Mapping[str, Config], device: torch.device) -> Cases:
    """Bytes per stored transition after an initial pool and after uneven growth."""
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
        buffer.add(random_paths(np.arange(config.n_train_tasks), dims))
        for _ in range(20):
            buffer.add(random_paths(rng.choice(config.n_train_tasks, algo.num_tasks_sample), dims))
        stored = sum(buffer.size(task) for task in range(config.n_train_tasks))
        limit = FLOAT_BYTES * (2 * dims.obs + dims.action + 3)
        note = f"{stored:,} transitions, {buffer.num_bytes() / MIB:.1f} MiB{peak(device)}"
        yield name, Case(buffer.num_bytes() / stored, limit, "bytes", note)
