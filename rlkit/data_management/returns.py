"""N-step returns: what actor and critics store of a path where they look more than one step ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rlkit.util.records import FloatArray, IndexArray


class NStepReturns(NamedTuple):
    """Sums `num_steps` rewards before the bootstrap, fewer at a path's end (Sutton and Barto, section 7.1).

    What is summed is the environment's reward alone, not the entropy of the actions on the way, and the actions on
    the way are those of the policy that collected them: both err little while `num_steps` is small.
    """

    num_steps: int
    discount: float
    columns: Mapping[str, slice]  # of the replay buffer's rows

    def of(self, rows: FloatArray, length: IndexArray) -> FloatArray:
        """Steps of paths of `length` (paths,), one path after the other, as steps of k <= num_steps at once.

        reward becomes sum_i discount^i r_{t+i}, i < k, and next_obs s_{t+k}. terminal becomes
        1 - (1 - terminal_{t+k-1}) discount^(k-1), so that the update, which discounts by one step, discounts by k.
        """
        at, end = np.arange(len(rows)), np.repeat(np.cumsum(length), length)
        last = np.minimum(at + self.num_steps, end) - 1
        reward, next_obs, terminal = (self.columns[name] for name in ("reward", "next_obs", "terminal"))
        ahead = rows.copy()
        for step in range(1, self.num_steps):
            is_within = (at + step < end)[:, None]
            later = rows[np.minimum(at + step, end - 1), reward]
            ahead[:, reward] += np.where(is_within, self.discount**step * later, 0.0)
        ahead[:, next_obs] = rows[last, next_obs]
        discounts = np.power(self.discount, last - at)[:, None]
        ahead[:, terminal] = 1.0 - (1.0 - rows[last, terminal]) * discounts
        return ahead
