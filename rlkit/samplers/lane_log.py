"""LaneLog: what the lanes did in their last steps, from which episodes are cut out when they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlkit.core.protocols import LaneEnv
from rlkit.core.records import FloatArray, IndexArray, Paths


class LaneLog:
    """A ring of the last steps of all lanes.

    Every step is one row of each array, whatever episodes the lanes are in. There is room for the longest episode,
    and for as many steps again until it is cut out.

    Attributes:
        num_steps: how many have been noted.
    """

    def __init__(self, env: LaneEnv, num_lanes: int, *, record_terms: bool) -> None:
        """An empty log of the first `num_lanes` lanes of `env`; `record_terms` keeps the terms that `info` names."""
        self._num_lanes, self._size = num_lanes, 2 * env.max_path_length
        self._obs, self._next_obs = self._ring(env.observation_dim), self._ring(env.observation_dim)
        self._action = self._ring(env.action_dim)
        self._reward, self._terminal = self._ring(), self._ring()
        self._sparse = self._ring() if env.has_sparse_reward else None
        self._terms: dict[str, FloatArray] = {}
        self._record_terms = record_terms
        self.num_steps = 0

    def _ring(self, *shape: int) -> FloatArray:
        return np.zeros((self._size, self._num_lanes, *shape), dtype=np.float32)

    def record(
        self,
        obs: FloatArray,
        action: FloatArray,
        next_obs: FloatArray,
        reward: NDArray[Any],
        terminal: NDArray[Any],
        info: Mapping[str, NDArray[Any]],
    ) -> None:
        """Note a step of all lanes, (lanes, ...) each; of the environment's arrays its other lanes are left out."""
        row = self.num_steps % self._size
        self.num_steps += 1
        lanes = self._num_lanes
        self._obs[row] = obs
        self._action[row] = action[:lanes]
        self._next_obs[row] = next_obs
        self._reward[row] = reward[:lanes]
        self._terminal[row] = terminal[:lanes]
        if self._sparse is not None:
            self._sparse[row] = info["sparse_reward"][:lanes]
        if self._record_terms:
            for name in filter(is_term, info):
                if name not in self._terms:
                    self._terms[name] = self._ring()
                self._terms[name][row] = info[name][:lanes]

    def paths(self, lanes: IndexArray, tasks: IndexArray, length: IndexArray, end: IndexArray) -> Paths:
        """The `length` steps of each of `lanes` before step number `end`, as episodes of `tasks`; (lanes,) each."""
        steps = np.arange(int(length.max()))
        rows = ((end - length)[:, None] + steps) % self._size
        at = (rows, lanes[:, None])
        return Paths(
            task=tasks,
            length=length,
            obs=self._obs[at],
            action=self._action[at],
            reward=self._reward[at],
            next_obs=self._next_obs[at],
            terminal=self._terminal[at],
            sparse_reward=None if self._sparse is None else self._sparse[at],
            terms={name: ring[at] for name, ring in self._terms.items()},
        )


def is_term(name: str) -> bool:
    """Whether an entry of `info` is a number to report: a term of the reward, a speed, a success."""
    return name.startswith("reward_") or name in ("velocity", "success")
