"""The families as gymnasium has them: SingleEnv, one lane as an ordinary `gymnasium.Env`, and ids for both kinds.

`gymnasium.make("PearlMeta/CheetahVel-v0")` gives a SingleEnv, `gymnasium.make_vec` native lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike

from envs.base import RENDER_METADATA, MetaEnv
from envs.catalogue import FAMILIES
from envs.registry import make_env
from envs.types import FloatArray, Frame, Rng, Task

NAMESPACE = "PearlMeta"
NO_LIMIT = 2**31 - 1
"""Steps until our own truncation where gymnasium's `max_episode_steps` sets the limit."""


class SingleEnv(gymnasium.Env[FloatArray, ArrayLike]):
    """One lane of a `MetaEnv`, with the lane axis taken off."""

    metadata = RENDER_METADATA

    def __init__(
        self, env_name: str, *, task: Task | int | None = None, render_mode: str | None = None, **params: Any
    ) -> None:
        """Build one environment of a task family.

        `task` is the task to be in: its values, or an index into the family's task set; None is index 0. `params` are
        the family's.

        Raises:
            ValueError: unknown id, or a task or parameter that the family refuses.
            IndexError: a task index outside the task set.
        """
        if isinstance(task, Mapping):
            params["tasks"], task = [task], 0
        self.meta_env = make_env(
            env_name, 1, autoreset_mode=AutoresetMode.DISABLED, render_mode=render_mode, **params
        )
        if task is not None:
            self.meta_env.set_tasks(task)
        self.render_mode = render_mode
        self.metadata = self.meta_env.metadata
        self.observation_space = self.meta_env.single_observation_space
        self.action_space = self.meta_env.single_action_space

    @property
    def tasks(self) -> list[Task]:
        return self.meta_env.tasks

    @property
    def task(self) -> Task:
        return self.meta_env.tasks[self.meta_env.lane_tasks[0]]

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        return self.meta_env.sample_tasks(num_tasks, rng)

    def set_tasks(self, index: int) -> None:
        """Change to task `index` of `tasks`; takes effect at once, so reset next."""
        self.meta_env.set_tasks(index)

    def reset_task(self, index: int) -> FloatArray:
        self.set_tasks(index)
        return self.reset()[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start an episode; `options["start_state"]` (state,) fixes where."""
        super().reset(seed=seed)
        self.meta_env.np_random = self.np_random  # the lane draws from this environment's own generator
        start_state = (options or {}).get("start_state")
        batched = None if start_state is None else {"start_states": np.asarray(start_state)[None]}
        observation, info = self.meta_env.reset(options=batched)
        return observation[0], info

    def step(self, action: ArrayLike) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.meta_env.step(np.asarray(action)[None])
        first = {name: value[0].item() if value.ndim == 1 else value[0].copy() for name, value in info.items()}
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), first

    def render(self) -> Frame | None:
        """The present frame, (height, width, 3) uint8; None without a render mode."""
        frames = self.meta_env.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        self.meta_env.close()


def gymnasium_id(env_name: str) -> str:
    """`PearlMeta/CheetahVel-v0` for `cheetah-vel`."""
    return f"{NAMESPACE}/{env_name.title().replace('-', '')}-v0"


def vector_env(
    num_envs: int, *, env_name: str, max_path_length: int, max_episode_steps: int = NO_LIMIT, **params: Any
) -> MetaEnv:
    """What `gymnasium.make_vec` calls; the shorter of the two limits truncates."""
    return make_env(env_name, num_envs, max_path_length=min(max_path_length, max_episode_steps), **params)


def register_ids() -> None:
    """Register every family with gymnasium, once per process."""
    for env_name, family in FAMILIES.items():
        if gymnasium_id(env_name) not in gymnasium.registry:
            gymnasium.register(
                gymnasium_id(env_name),
                entry_point="envs.single:SingleEnv",
                vector_entry_point="envs.single:vector_env",
                max_episode_steps=family.default_max_path_length,
                kwargs={"env_name": env_name, "max_path_length": NO_LIMIT},
            )
