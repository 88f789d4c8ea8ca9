"""LaneLog: what the lanes did in their last steps, from which paths are cut out when they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlkit.util.records import FloatArray, IndexArray, LaneEnv, Paths, is_term


class LaneLog:
    """A ring of the last steps of all lanes.

    Every step is one row of each array, whatever paths the lanes are in. There is room for the longest path,
    and for as many steps again until it is cut out.

    Attributes:
        num_steps: how many have been noted.
    """

    def __init__(self, env: LaneEnv, num_lanes: int, *, record_terms: bool) -> None:
        """An empty log of the first `num_lanes` lanes of `env`; `record_terms` keeps the terms that `info` names."""
        self._num_lanes, self._size = num_lanes, 2 * env.max_path_length + 1
        self._obs = self._ring(env.observation_dim)  # a step acts on its own row and leads to the next one
        self._action = self._ring(env.action_dim)
        self._reward, self._terminal = self._ring(), self._ring()
        self._sparse = self._ring() if env.has_sparse_reward else None
        self._terms: dict[str, FloatArray] = {}
        self._record_terms = record_terms
        self.num_steps = 0

    def _ring(self, *shape: int) -> FloatArray:
        return np.zeros((self._size, self._num_lanes, *shape), dtype=np.float32)

    @property
    def obs(self) -> FloatArray:
        """What the lanes see now, (lanes, obs_dim), to read and, where a path begins, to write."""
        return np.asarray(self._obs[self.num_steps % self._size])

    def record(
        self,
        action: FloatArray,
        next_obs: NDArray[Any],
        reward: NDArray[Any],
        terminal: NDArray[Any],
        info: Mapping[str, NDArray[Any]],
    ) -> None:
        """Note a step of all lanes, (lanes, ...) each; what comes of further lanes is left out."""
        row, lanes = self.num_steps % self._size, self._num_lanes
        self.num_steps += 1
        self.obs[:] = next_obs[:lanes]
        self._action[row] = action[:lanes]
        self._reward[row] = reward[:lanes]
        self._terminal[row] = terminal[:lanes]
        if self._sparse is not None:
            self._sparse[row] = self._told(info, "sparse_reward")
        if self._record_terms:
            for name in filter(is_term, info):
                if name not in self._terms:
                    self._terms[name] = self._ring()
            for name, ring in self._terms.items():
                ring[row] = self._told(info, name)

    def _told(self, info: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any] | float:
        """An entry of `info`, (lanes,); 0 where this step does not name it."""
        return info[name][: self._num_lanes] if name in info else 0.0

    @property
    def last_rewards(self) -> list[tuple[str, FloatArray]]:
        """What the last step paid, dense and, where there is one, sparse: names and (lanes,) each."""
        row = (self.num_steps - 1) % self._size
        sparse = [] if self._sparse is None else [("sparse_reward", np.asarray(self._sparse[row]))]
        return [("reward", np.asarray(self._reward[row])), *sparse]

    def paths(self, lanes: IndexArray, tasks: IndexArray, length: IndexArray, end: IndexArray) -> Paths:
        """The `length` steps of each of `lanes` before step number `end`, as paths of `tasks`; (lanes,) each."""
        steps = np.arange(int(length.max()) + 1)
        rows = ((end - length)[:, None] + steps) % self._size
        all_obs = self._obs[rows, lanes[:, None]]
        all_obs[steps > length[:, None]] = 0.0
        at, padding = (rows[:, :-1], lanes[:, None]), steps[:-1] >= length[:, None]

        def cut(ring: FloatArray) -> FloatArray:
            values = ring[at]
            values[padding] = 0.0
            return values

        return Paths(
            task=tasks,
            length=length,
            obs=all_obs[:, :-1],
            action=cut(self._action),
            reward=cut(self._reward),
            next_obs=all_obs[:, 1:],
            terminal=cut(self._terminal),
            sparse_reward=None if self._sparse is None else cut(self._sparse),
            terms={name: cut(ring) for name, ring in self._terms.items()},
        )
