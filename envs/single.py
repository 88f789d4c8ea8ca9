"""SingleEnv: a task family as an ordinary `gymnasium.Env`, the same code with one lane."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from envs.base import MetaEnv, Task


class SingleEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float64]]):
    """One lane of a `MetaEnv`, with the lane axis taken off."""

    def __init__(self, env: MetaEnv) -> None:
        """Wrap `env`, which has one lane and no autoreset."""
        if env.num_envs != 1 or env.autoreset_mode is not AutoresetMode.DISABLED:
            raise ValueError("SingleEnv needs a MetaEnv with num_envs=1 and AutoresetMode.DISABLED")
        self.meta_env = env
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space

    @property
    def tasks(self) -> list[Task]:
        """The task set."""
        return self.meta_env.tasks

    @property
    def task(self) -> Task:
        """The task that the environment is in."""
        return self.meta_env.tasks[self.meta_env.lane_tasks[0]]

    def reset_task(self, index: int) -> NDArray[np.float64]:
        """Change to task `index` and reset; returns the observation."""
        return self.meta_env.reset_task(index)[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode; `options["start_state"]` (state,) fixes where."""
        super().reset(seed=seed)
        start_state = (options or {}).get("start_state")
        batched = None if start_state is None else {"start_states": np.asarray(start_state)[None]}
        observation, info = self.meta_env.reset(seed=seed, options=batched)
        return observation[0], info

    def step(self, action: ArrayLike) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Act; see `MetaEnv.step`."""
        observation, reward, terminated, truncated, info = self.meta_env.step(np.asarray(action)[None])
        first = {name: value[0] for name, value in info.items()}
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), first
