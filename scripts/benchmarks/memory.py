"""Memory of the replay buffer beside the bytes of what it stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from envs import make_env
from rlkit.config.settings import Config
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer

from .timing import MIB, Case, forget_peak, peak
from .update import random_paths

FLOAT_BYTES = 4


def measure(configs: Mapping[str, Config], device: torch.device) -> Iterator[tuple[str, Case]]:
    """Bytes per stored transition after an initial pool and after uneven growth."""
    for name, config in configs.items():
        forget_peak(device)
        env = make_env(config.env_name, 1, **config.env_params.model_dump())
        obs_dim, action_dim, algo = env.observation_dim, env.action_dim, config.algo_params
        buffer = MultiTaskReplayBuffer(
            config.env_params.n_tasks,
            obs_dim,
            action_dim,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=env.has_sparse_reward,
            device=device,
        )
        rng = np.random.default_rng(0)
        buffer.add(random_paths(np.arange(config.n_train_tasks), obs_dim, action_dim))
        for _ in range(20):
            buffer.add(random_paths(rng.choice(config.n_train_tasks, algo.num_tasks_sample), obs_dim, action_dim))
        stored = sum(buffer.size(task) for task in range(config.n_train_tasks))
        limit = FLOAT_BYTES * (2 * obs_dim + action_dim + 3)
        note = f"{stored:,} transitions, {buffer.num_bytes() / MIB:.1f} MiB{peak(device)}"
        yield name, Case(buffer.num_bytes() / stored, limit, "bytes", note)
