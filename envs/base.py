"""MetaEnv: N lanes stepped together, each in its own task. A gymnasium vector environment.

It keeps the account of episodes. `envs.family.TaskFamily` is one whose tasks are plain numbers and whose lanes are
simulated together; `envs.copies.CopiesEnv` runs copies of somebody else's environment. `envs.single.SingleEnv` is
the same code with one lane.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium import logger, spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from envs.types import AnyBox, BoolArray, FloatArray, Frame, IndexArray, Info, Rng

RENDER_METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}


class MetaEnv(VectorEnv[FloatArray, ArrayLike, NDArray[Any]]):
    """N lanes of one task family; lane i acts in task `lane_tasks[i]` of `tasks`.

    Actions are in [-1, 1] per dimension (clipped); the family scales them to its own range. An episode ends by the
    family's own termination, or is truncated after `max_path_length` steps or where the simulation diverges. A lane
    that has ended is frozen until its reset: it is not simulated, its reward is 0. With `AutoresetMode.NEXT_STEP`
    (gymnasium's default) the next `step` resets it; with `AutoresetMode.DISABLED` the caller does, by
    `reset(options={"reset_mask": ...})`.

    Attributes:
        tasks: the task set, by index.
        lane_tasks: (num_envs,) index into `tasks` of each lane.
        action_dim, observation_dim: sizes of one lane's vectors.
        has_sparse_reward: whether `info["sparse_reward"]` counts.
        own_action_space: what [-1, 1] is scaled to where a lane is somebody else's environment.
        notes: what the user should be told, a line each.
    """

    action_dim: int
    observation_dim: int
    tasks: list[Any]
    default_max_path_length: ClassVar[int] = 200
    has_sparse_reward: bool = False
    notes: Sequence[str] = ()
    own_action_space: AnyBox
    metadata = RENDER_METADATA

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_path_length: int | None = None,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        """Set up the lanes; the subclass gives them tasks.

        Args:
            num_envs: number of lanes N. Lane i starts with task i modulo the number of tasks.
            max_path_length: steps until truncation; None takes the family's.

        Raises:
            ValueError: a count below 1, or an autoreset or render mode that there is not.
        """
        self.max_path_length = self.default_max_path_length if max_path_length is None else max_path_length
        for name, count in (("num_envs", num_envs), ("max_path_length", self.max_path_length)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        if autoreset_mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
            raise ValueError(f"autoreset_mode must be NEXT_STEP or DISABLED, got {autoreset_mode}")
        if render_mode not in (None, *RENDER_METADATA["render_modes"]):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = autoreset_mode
        self.metadata = {**self.metadata, "autoreset_mode": autoreset_mode}

        self.single_action_space = spaces.Box(-1.0, 1.0, (self.action_dim,), np.float32)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (self.observation_dim,), np.float64)
        self.own_action_space = self.single_action_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

        self.lane_tasks: IndexArray = np.zeros(num_envs, dtype=np.int64)
        self._path_length = np.zeros(num_envs, dtype=np.int64)
        self._terminated = np.zeros(num_envs, dtype=bool)
        self._truncated = np.ones(num_envs, dtype=bool)  # no lane is live before its first reset

    # ---- what a family writes ----------------------------------------------------------------------------

    @abstractmethod
    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Any]:
        """Draw `num_tasks` tasks from the family's distribution with `rng`."""

    @abstractmethod
    def _reset_lanes(self, lanes: IndexArray, start_states: FloatArray | None) -> None:
        """Start new episodes in `lanes`, from `start_states` (lanes, state) or from the reset distribution."""

    @abstractmethod
    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        """Apply `actions` (num_envs, action_dim), within [-1, 1], to `lanes` (None: all).

        Returns:
            Reward and termination of every lane, each (num_envs,), and a dict of named (num_envs,) arrays, of which
            "diverged" tells where the simulation broke: such an episode is truncated. What stands there for the
            other lanes is ignored.
        """

    @abstractmethod
    def _observe(self) -> FloatArray:
        """Fresh array of every lane's observation, (num_envs, observation_dim)."""

    @abstractmethod
    def _draw_lanes(self) -> Sequence[Frame]:
        """A picture (height, width, 3) of each lane."""

    @abstractmethod
    def task_caption(self, task: Any) -> str:
        """A task in a few words, with units."""

    def _tasks_changed(self, lanes: IndexArray) -> None:
        """Take note that `lanes` have other tasks now."""

    # ---- tasks -------------------------------------------------------------------------------------------

    def set_tasks(self, indices: ArrayLike, lanes: ArrayLike | None = None) -> None:
        """Put lanes into tasks; takes effect at once, so reset those lanes next.

        Args:
            indices: (lanes,) task indices, or one index for all.
            lanes: which lanes; None means all.

        Raises:
            IndexError: an index outside the task set.
            ValueError: indices that are no integers, or not one for each lane.
        """
        index = np.asarray(indices)
        if index.size and not np.issubdtype(index.dtype, np.integer):
            raise ValueError(f"task indices must be integers, got {indices!r}")
        outside = index[(index < 0) | (index >= len(self.tasks))]
        if outside.size:
            raise IndexError(f"task index must be in 0..{len(self.tasks) - 1}, got {outside.flat[0]}")
        where = np.arange(self.num_envs) if lanes is None else np.asarray(lanes, dtype=np.int64)
        if index.shape not in ((), where.shape):
            raise ValueError(f"{len(where)} lanes need one task index or {len(where)}, got shape {index.shape}")
        self.lane_tasks[where] = index
        self._tasks_changed(where)

    def reset_task(self, index: int) -> FloatArray:
        """Put every lane into task `index` and reset; returns the observations."""
        self.set_tasks(index)
        return self.reset()[0]

    # ---- gymnasium.vector.VectorEnv ----------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, Info]:
        """Start new episodes.

        Args:
            seed: seeds the environment's generator (a sequence: its first entry, the lanes share one generator).
            options: `reset_mask` (num_envs,) bool, only these lanes; `start_states` (lanes, state) instead of the
                reset distribution's draw (qpos then qvel; point robots: the position).

        Returns:
            Observations of all lanes and an empty info.
        """
        super().reset(seed=seed[0] if isinstance(seed, Sequence) else seed)
        options = options or {}
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs)), dtype=bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must have shape ({self.num_envs},), got {mask.shape}")
        self._start_episodes(np.flatnonzero(mask), options.get("start_states"))
        return self._observe(), {}

    def _start_episodes(self, lanes: IndexArray, start_states: ArrayLike | None = None) -> None:
        states = None if start_states is None else np.asarray(start_states, dtype=np.float64)
        self._reset_lanes(lanes, states)
        self._path_length[lanes] = 0
        self._terminated[lanes] = False
        self._truncated[lanes] = False

    def step(self, actions: ArrayLike) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray, Info]:
        """Act in every live lane.

        Args:
            actions: (num_envs, action_dim); clipped to [-1, 1].

        Returns:
            Observations, rewards, terminations, truncations (flags of a frozen lane stay), and infos by name.

        Raises:
            ValueError: wrong shape, or a live lane's action is not finite.
        """
        live = self.live
        lanes = None if live.all() else np.flatnonzero(live)
        clipped = self._checked(actions, live)
        reward, terminated, info = self._advance(clipped, lanes)
        self._path_length += live
        diverged = np.asarray(info.get("diverged", False), dtype=bool)
        self._terminated = self._terminated | (terminated & live & ~diverged)
        self._truncated = self._truncated | ((self._cut() | diverged) & live)
        if lanes is not None:
            reward = np.where(live, reward, 0.0)
            info = {name: _zero_unless(live, value) for name, value in info.items()}
            if self.autoreset_mode is AutoresetMode.NEXT_STEP:
                self._start_episodes(np.flatnonzero(~live))
        return self._observe(), reward, self._terminated.copy(), self._truncated.copy(), info

    def render(self) -> tuple[Frame, ...] | None:
        """A frame (height, width, 3) of each lane, with its task in words; None without a render mode."""
        if self.render_mode is None:
            logger.warn("render() has nothing to do: build the environment with render_mode='rgb_array'")
            return None
        from envs.drawing import with_caption  # here, as most runs draw nothing

        captions = [self.task_caption(self.tasks[task]) for task in self.lane_tasks]
        return tuple(with_caption(frame, text) for frame, text in zip(self._draw_lanes(), captions, strict=True))

    @property
    def live(self) -> BoolArray:
        """Which lanes (num_envs,) are within an episode; the others are frozen until their reset."""
        return ~(self._terminated | self._truncated)

    def _cut(self) -> BoolArray:
        """Lanes (num_envs,) whose time is up after this step."""
        return self._path_length >= self.max_path_length

    def _checked(self, actions: ArrayLike, live: BoolArray) -> FloatArray:
        array = np.asarray(actions, dtype=np.float64)
        if array.shape != (self.num_envs, self.action_dim):
            raise ValueError(f"actions must have shape {(self.num_envs, self.action_dim)}, got {array.shape}")
        if not np.isfinite(array).all():
            bad = np.flatnonzero(live & ~np.isfinite(array).all(axis=1))
            if bad.size:
                raise ValueError(f"action of lane {bad[0]} is not finite: {array[bad[0]]}")
        return np.minimum(np.maximum(array, -1.0), 1.0)  # np.clip takes twice as long on small arrays


def _zero_unless(live: BoolArray, value: NDArray[Any]) -> NDArray[Any]:
    """`value` (lanes, ...) with zeros in the lanes that are not live."""
    return np.where(live.reshape(-1, *(1,) * (value.ndim - 1)), value, np.zeros((), value.dtype))
