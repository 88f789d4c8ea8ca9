"""ContextSampler: draws what the encoder reads from a buffer, as the config says."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit.config.settings import AlgoParams
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.util.records import Batch, IndexArray


class ContextSampler:
    """`embedding_batch_size` transitions per task, with sparse rewards and next observations where configured."""

    def __init__(self, buffer: MultiTaskReplayBuffer, params: AlgoParams) -> None:
        """Draw from `buffer`: that of recently collected data, or the replay buffer."""
        self._buffer = buffer
        self._params = params

    def draw(self, tasks: Tensor | IndexArray, generator: torch.Generator) -> Tensor:
        """A context for each of `tasks`, (tasks, context, context_dim)."""
        return self._buffer.sample_context(
            torch.as_tensor(tasks, device=self._buffer.device),
            self._params.embedding_batch_size,
            generator,
            use_next_obs=self._params.use_next_obs_in_context,
            sparse=self._params.sparse_rewards,
            whole_paths=self._params.context_sampling == "trajectories",
        )

    def draw_with_batch(self, tasks: Tensor, generator: torch.Generator) -> tuple[Batch, Tensor]:
        """A batch for actor and critics, and its first `embedding_batch_size` transitions per task as context.

        The context has the sparse reward where the encoder is to see that; the batch stays dense.
        """
        return self._buffer.sample_with_context(
            tasks,
            self._params.batch_size,
            self._params.embedding_batch_size,
            generator,
            use_next_obs=self._params.use_next_obs_in_context,
            sparse=self._params.sparse_rewards,
        )

    @property
    def version(self) -> int:
        """The buffer's: what was captured on an older one is stale."""
        return self._buffer.version
