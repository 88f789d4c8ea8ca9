"""ContextSampler: draws what the encoder reads from a buffer, as the config says."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit.core.config import AlgoParams
from rlkit.core.records import IndexArray
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer


class ContextSampler:
    """`embedding_batch_size` transitions per task, with sparse rewards and next observations where configured."""

    def __init__(self, buffer: MultiTaskReplayBuffer, params: AlgoParams) -> None:
        """Draw from `buffer`, the encoder buffer of recently collected data."""
        self._buffer = buffer
        self._params = params

    def __call__(self, tasks: Tensor | IndexArray, generator: torch.Generator) -> Tensor:
        """A context for each of `tasks`, (tasks, context, context_dim)."""
        return self._buffer.sample_context(
            torch.as_tensor(tasks, device=self._buffer.device),
            self._params.embedding_batch_size,
            generator,
            use_next_obs=self._params.use_next_obs_in_context,
            sparse=self._params.sparse_rewards,
        )
