# ruff: noqa: NPY002 - the global generators are what PrivateGlobals stands in for
"""EnvCopy: one copy of somebody else's environment, old gym or gymnasium, made to fit a lane."""

from __future__ import annotations

import contextlib
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs import contract
from envs.base import RENDER_METADATA
from envs.types import EnvClass, FloatArray, Frame

TERMINATED, TRUNCATED = "copy_terminated", "copy_truncated"
"""Entries of a copy's info. It reports no end otherwise, so that gymnasium's vector environments leave it alone."""

LARGEST = np.finfo(np.float32).max


class EnvCopy(gymnasium.Env[FloatArray, NDArray[np.floating[Any]]]):
    """Acts in [-1, 1], scaled to the environment's own range; observes flat numbers; its info holds numbers only.

    An action with a NaN leaves the environment as it is (the lane is frozen). An observation that is not finite, in
    the single precision of whoever learns from it, is a simulation that diverged: `diverged` in info, the last sound
    observation and reward 0. A reward that is not finite is a mistake of the environment, and handed on.

    Attributes:
        tasks: the task set, as JSON can save it.
        own_action_space: what the environment itself acts in.
        notes: what the user should be told of it.
        task_index: the task to be in from the next reset on.
    """

    metadata = RENDER_METADATA

    def __init__(
        self,
        env_class: EnvClass,
        params: Mapping[str, Any],
        *,
        task_seed: int,
        tasks: Sequence[Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Build the environment.

        Args:
            task_seed: seeds the global generators while it is made: the same tasks in every copy.
            tasks: take these tasks instead of its own.

        Raises:
            ValueError: as the functions of `envs.contract`.
        """
        self._globals = PrivateGlobals(task_seed)
        self.render_mode = render_mode
        takes_mode = render_mode is not None and "render_mode" in inspect.signature(env_class).parameters
        mode = {"render_mode": render_mode} if takes_mode else {}
        with self._globals.in_place():
            self._env = env_class(**params, **mode)
        if tasks is not None:
            contract.give_tasks(self._env, list(tasks))
        self.tasks = contract.tasks_of(self._env)
        self._tasked = contract.task_layer(self._env)
        self._takes_seed = "seed" in inspect.signature(self._env.reset).parameters
        self.own_action_space, self.notes = contract.action_box(self._env)
        low, high = self.own_action_space.low.ravel(), self.own_action_space.high.ravel()
        self._offset, self._scale = (low + high) / 2, (high - low) / 2
        self.action_space = spaces.Box(-1.0, 1.0, low.shape, np.float32)
        self.observation_space = spaces.Box(-np.inf, np.inf, (contract.observation_size(self._env),), np.float64)
        self.task_index = 0
        self._current_task: int | None = None
        self._observation = np.zeros(self.observation_space.shape)
        self._globals.seed(int(np.random.default_rng().integers(2**32)))  # from here on no copy is like another

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start an episode in task `task_index`."""
        super().reset(seed=seed)
        if seed is not None:
            self._globals.seed(seed)
        with self._globals.in_place():
            if seed is not None and callable(getattr(self._env, "seed", None)):
                self._env.seed(seed)
            if self.task_index != self._current_task:
                self._tasked.reset_task(self.task_index)
                self._current_task = self.task_index
            outcome = self._env.reset(seed=seed) if self._takes_seed else self._env.reset()
        self._observation = self._flat(outcome[0] if isinstance(outcome, tuple) else outcome)
        return self._observation.copy(), {}

    def step(self, action: NDArray[np.floating[Any]]) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Act; whether the episode ended stands in info, under TERMINATED and TRUNCATED."""
        if np.isnan(action).any():
            return self._observation.copy(), 0.0, False, False, {}
        native = (self._offset + self._scale * action).reshape(self.own_action_space.shape)
        with self._globals.in_place():
            observation, reward, terminated, truncated, info = contract.five(self._env.step(native))
        flat, paid = self._flat(observation), contract.one_number(self._env, reward)
        diverged = not (np.abs(flat) <= LARGEST).all()
        if diverged:
            flat, paid, terminated, truncated, info = self._observation, 0.0, False, False, {}
        self._observation = flat
        numbers = {name: float(np.asarray(value).item()) for name, value in info.items() if _is_number(value)}
        ends = {TERMINATED: bool(terminated), TRUNCATED: bool(truncated), "diverged": diverged}
        return flat.copy(), paid, False, False, {**numbers, **ends}

    def _flat(self, observation: Any) -> FloatArray:
        flat, expected = np.array(observation, dtype=np.float64).ravel(), self.observation_space.shape
        if flat.shape != expected:
            title = contract.title(self._env)
            raise ValueError(f"{title}: observation has {flat.size} numbers, its space has {expected}")
        return flat

    def render(self) -> Frame:
        takes_mode = "mode" in inspect.signature(self._env.render).parameters
        frame = self._env.render(mode="rgb_array") if takes_mode else self._env.render()
        if np.ndim(frame) != 3:
            raise RuntimeError(f"{contract.title(self._env)} gives no picture to render_mode 'rgb_array'")
        return np.asarray(frame, dtype=np.uint8)

    def close(self) -> None:
        """Close the environment, if it can be."""
        if callable(getattr(self._env, "close", None)):
            self._env.close()


class PrivateGlobals:
    """A stream of its own for code that draws from numpy's and Python's global generators.

    Many environments of the old contract do. Within `in_place` they meet their own stream: what they draw depends
    on its seed only, and the process's generators stay untouched.
    """

    def __init__(self, seed: int) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        self._numpy = np.random.RandomState(seed % 2**32).get_state()
        self._python = random.Random(seed).getstate()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the stream where the global generators are, and back."""
        outer_numpy, outer_python = np.random.get_state(), random.getstate()
        np.random.set_state(self._numpy)
        random.setstate(self._python)
        try:
            yield
        finally:
            self._numpy, self._python = np.random.get_state(), random.getstate()
            np.random.set_state(outer_numpy)
            random.setstate(outer_python)


def _is_number(value: Any) -> bool:
    return np.size(value) == 1 and np.asarray(value).dtype.kind in "biuf"
