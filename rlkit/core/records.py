"""The records that travel between the parts: one trajectory batch, one training batch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]


class Paths(NamedTuple):
    """One episode per lane, padded behind its end to the longest of them.

    `terminal` is the environment's own termination, 0 where the time limit cut the episode. `sparse_reward` is
    None where the environment gives none.
    """

    task: IndexArray  # (lanes,)
    length: IndexArray  # (lanes,) steps of each episode
    obs: FloatArray  # (lanes, steps, obs_dim)
    action: FloatArray  # (lanes, steps, action_dim)
    reward: FloatArray  # (lanes, steps)
    next_obs: FloatArray  # (lanes, steps, obs_dim)
    terminal: FloatArray  # (lanes, steps)
    sparse_reward: FloatArray | None  # (lanes, steps)
    terms: Mapping[str, FloatArray] = MappingProxyType({})  # what else the environment tells, each (lanes, steps)

    def valid(self) -> NDArray[np.bool_]:
        """Which entries are steps and not padding, (lanes, steps)."""
        return np.arange(self.reward.shape[1]) < self.length[:, None]

    def returns(self, sparse: bool) -> FloatArray:
        """Undiscounted return of each episode, (lanes,)."""
        reward = self.sparse_reward if sparse else self.reward
        assert reward is not None, "the environment gives no sparse reward"
        return np.where(self.valid(), reward, 0.0).sum(axis=1)

    def context(self, *, use_next_obs: bool, sparse: bool) -> FloatArray:
        """What the encoder reads of each step: obs, action, reward (, next_obs), (lanes, steps, context_dim)."""
        reward = self.sparse_reward if sparse else self.reward
        assert reward is not None, "the environment gives no sparse reward"
        columns = [self.obs, self.action, reward[..., None]] + [self.next_obs] * use_next_obs
        return np.concatenate(columns, axis=-1)


class Batch(NamedTuple):
    """Transitions of several tasks, for actor and critics."""

    obs: Tensor  # (tasks, batch, obs_dim)
    action: Tensor  # (tasks, batch, action_dim)
    reward: Tensor  # (tasks, batch, 1), dense and unscaled
    next_obs: Tensor  # (tasks, batch, obs_dim)
    terminal: Tensor  # (tasks, batch, 1), 0 on time-limit cuts
