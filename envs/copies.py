"""CopiesEnv: N copies of somebody else's environment as the lanes of a MetaEnv."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from envs.base import MetaEnv
from envs.contract import constructor_parameters, shortened
from envs.env_copy import TERMINATED, TRUNCATED, EnvCopy
from envs.family import DEFAULT_TASK_SEED
from envs.types import BoolArray, EnvClass, FloatArray, Frame, IndexArray, Info, Rng

VECTORIZATIONS: dict[str, Callable[..., SyncVectorEnv | AsyncVectorEnv]] = {
    "sync": SyncVectorEnv,
    "async": AsyncVectorEnv,
}
MAX_CAPTION = 60  # characters


class CopiesEnv(MetaEnv):
    """Lanes that are copies, run by gymnasium's SyncVectorEnv (in turn) or AsyncVectorEnv (a process each)."""

    def __init__(
        self,
        env_class: EnvClass,
        num_envs: int = 1,
        *,
        vectorization: str = "sync",
        n_tasks: int = 2,
        randomize_tasks: bool = True,
        task_seed: int = DEFAULT_TASK_SEED,
        tasks: Sequence[Any] | None = None,
        num_threads: int = 0,
        max_path_length: int | None = None,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **params: Any,
    ) -> None:
        """Make the copies.

        Args:
            env_class: makes one environment; see `envs.register_env` for what it must have.
            n_tasks, randomize_tasks, task_seed: given to the class if it names them. There must be `n_tasks` tasks,
                and `task_seed` seeds the global generators too while a copy is made.
            tasks: put these tasks into the copies' `tasks`.
            num_threads: taken as by the native families, without a use here.
            max_path_length, autoreset_mode, render_mode: as `MetaEnv`.
            params: for the class.

        Raises:
            ValueError: as `MetaEnv`; unknown vectorization, parameters that the class does not take, too few tasks.
        """
        del num_threads
        if vectorization not in VECTORIZATIONS:
            raise ValueError(f"vectorization must be {' or '.join(VECTORIZATIONS)}, got {vectorization!r}")
        if n_tasks < 1:
            raise ValueError(f"n_tasks must be at least 1, got {n_tasks}")
        self._make_copy = partial(EnvCopy, env_class, task_seed=task_seed, tasks=tasks, render_mode=render_mode)
        offered = {"n_tasks": n_tasks, "randomize_tasks": randomize_tasks, "task_seed": task_seed}
        self._params = _accepted(env_class, offered, params)
        first = self._learn_from_one(n_tasks if tasks is None else len(tasks))
        super().__init__(
            num_envs, max_path_length=max_path_length, autoreset_mode=autoreset_mode, render_mode=render_mode
        )
        self.own_action_space, self.notes = first.own_action_space, first.notes
        self._copies = VECTORIZATIONS[vectorization](
            [partial(_make_in_worker, partial(self._make_copy, self._params), os.getpid())] * num_envs,
            autoreset_mode=AutoresetMode.DISABLED,
        )
        self._observations = np.zeros((num_envs, self.observation_dim))
        self._all_have_observed = False
        self._copies_cut = np.zeros(num_envs, dtype=bool)
        self._seeds: list[int | None] = [None] * num_envs  # for the next reset of each copy
        self.set_tasks(np.arange(num_envs) % len(self.tasks))

    def _learn_from_one(self, n_tasks: int) -> EnvCopy:
        """Make a copy and see its tasks and sizes, and by taking a step whether it tells a sparse reward."""
        copy = self._make_copy(self._params)
        if len(copy.tasks) < n_tasks:
            raise ValueError(f"n_tasks must be at most {len(copy.tasks)}, the tasks that there are, got {n_tasks}")
        self.tasks = copy.tasks[:n_tasks]
        self.action_dim, self.observation_dim = (
            int(np.prod(space.shape or ())) for space in (copy.action_space, copy.observation_space)
        )
        copy.reset(seed=0)
        *_, info = copy.step(np.zeros(self.action_dim))
        self.has_sparse_reward = "sparse_reward" in info
        copy.close()
        return copy

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Any]:
        """The tasks of a fresh copy, made for `num_tasks` tasks with the global generators seeded from `rng`.

        Raises:
            ValueError: the class does not take a number of tasks.
        """
        if "n_tasks" not in self._params:
            raise ValueError("this environment has a fixed task set: its class takes no n_tasks")
        seed = int(rng.random() * 2**32)
        params = {**self._params, "n_tasks": num_tasks}
        if "task_seed" in params:
            params["task_seed"] = seed
        fresh = self._make_copy(params, task_seed=seed, tasks=None)
        fresh.close()
        return fresh.tasks

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, Info]:
        """Start new episodes; see `MetaEnv.reset`. Each copy is seeded from `seed` at its next reset.

        Raises:
            ValueError: `start_states` are asked for, which copies do not take.
        """
        if (options or {}).get("start_states") is not None:
            raise ValueError("copies of an environment choose their own start states")
        if seed is not None:
            first = seed[0] if isinstance(seed, Sequence) else seed
            self._seeds = np.random.default_rng(first).integers(2**31, size=self.num_envs).tolist()
        return super().reset(seed=seed, options=options)

    def _reset_lanes(self, lanes: IndexArray, start_states: FloatArray | None) -> None:
        del start_states
        if not lanes.size:
            return
        self._copies.set_attr("task_index", self.lane_tasks.tolist())
        if not self._all_have_observed:  # gymnasium stacks the observations of all, so all must have one
            self._copies.reset()
            self._all_have_observed = True
        mask = np.zeros(self.num_envs, dtype=bool)
        mask[lanes] = True
        seeds: list[int | None] = [None] * self.num_envs
        for lane in lanes:
            seeds[lane], self._seeds[lane] = self._seeds[lane], None
        self._observations, _ = self._copies.reset(seed=seeds, options={"reset_mask": mask})

    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        if lanes is not None:
            acting, actions = actions, np.full_like(actions, np.nan)  # a copy that is told NaN stays as it is
            actions[lanes] = acting[lanes]
        self._observations, reward, _, _, info = self._copies.step(actions)
        missing = np.zeros(self.num_envs)
        numbers = {name: value for name, value in info.items() if not name.startswith("_")}
        terminated, self._copies_cut = (numbers.pop(name, missing).astype(bool) for name in (TERMINATED, TRUNCATED))
        if self.has_sparse_reward:
            numbers.setdefault("sparse_reward", missing)
        return reward, terminated, numbers

    def _cut(self) -> BoolArray:
        return super()._cut() | self._copies_cut

    def _observe(self) -> FloatArray:
        return self._observations.copy()

    def _draw_lanes(self) -> Sequence[Frame]:
        return self._copies.call("render")

    def task_caption(self, task: Any) -> str:
        return shortened(f"task {task}", MAX_CAPTION)

    def close_extras(self, **kwargs: Any) -> None:
        self._copies.close()


def _accepted(env_class: EnvClass, offered: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """What the class is made with: of `offered` what it names, and all of `params`, which it must take."""
    parameters = inspect.signature(env_class).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    names = set(parameters)
    if open_ended and isinstance(env_class, type):  # it may hand its **kwargs on to the classes that it extends
        names.update(parameter.name for parameter in constructor_parameters(env_class))
    for name in params:
        if name not in names and not open_ended:
            title = getattr(env_class, "__name__", str(env_class))
            raise ValueError(f"{title} has no parameter '{name}'; it takes {', '.join(parameters)}")
    return {**{name: value for name, value in offered.items() if name in names}, **params}


def _make_in_worker(make: Callable[[], EnvCopy], main_process: int) -> EnvCopy:
    """What `make` makes; a process other than `main_process` (its id) first learns when to end.

    A forked process inherits what the main one does on a signal, which may be to take note and go on. It is the main
    process that a signal is for: an interrupt, which a terminal sends to all of them, is left to it; it ends the
    others by a message or by SIGTERM, and if it is killed they end by themselves.
    """
    if os.getpid() != main_process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=_end_with_parent, daemon=True).start()
    return make()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by multiprocessing"
    parent.join()
    os._exit(1)
