"""PathSampler: paths in many lanes at a time, one policy call per step for all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlkit.samplers.lane_log import LaneLog
from rlkit.util.errors import RunError
from rlkit.util.records import FloatArray, IndexArray, LaneEnv, Paths, Start

Act = Callable[[FloatArray], FloatArray]
"""Observations (lanes, obs_dim) to actions (lanes, action_dim)."""
Actor = Callable[[Tensor, "torch.Generator | None"], Act]
"""Makes an `Act` for lanes whose z (lanes, latent) stays; deterministic without a generator."""
FREE = -1  # job of a lane that runs no path
RECENT_EPISODES = 100  # of which most must not diverge
FEW_DIVERGED = 10  # so many may always
REFILL_SHARE = 0.2  # of the busy lanes, which end before others begin: to begin costs about as much as a step


class PathSampler:
    """Rolls out whole paths.

    Where the simulation diverges (`info["diverged"]`) a path is cut before the broken step; one that has no step
    left begins anew.

    Attributes:
        num_diverged: how many paths diverged since `seed`.
    """

    def __init__(self, env: LaneEnv, make_actor: Callable[[], Actor], *, record_terms: bool = False) -> None:
        """Keep the parts.

        Args:
            env: does not reset by itself.
            make_actor: gives the policy of the moment when a run begins, which acts until it is over.
            record_terms: whether to keep what `info` names beside the reward.
        """
        self.env = env
        self._make_actor = make_actor
        self.record_terms = record_terms
        self.max_path_length = env.max_path_length
        self.num_diverged = 0
        self._diverged: deque[bool] = deque(maxlen=RECENT_EPISODES)

    def seed(self, env_seed: int) -> None:
        """Seed the resets of the environment, starting no path."""
        self.num_diverged = 0
        self.env.reset(seed=env_seed, options={"reset_mask": np.zeros(self.env.num_envs, dtype=bool)})

    def run(
        self, start: Callable[[int], Start], generator: torch.Generator | None
    ) -> Iterator[tuple[IndexArray, Paths]]:
        """Keep the lanes busy: where paths end, others begin.

        Args:
            start: asked, at first and whenever some paths ended and were yielded, for up to so many that begin
                now. It may give fewer, or none while others must end first; the run is over when none is left. As
                many lanes are used as the first answer fills.
            generator: source of the exploration noise; None makes the policy deterministic.

        Yields:
            The paths that ended since the last ones, with their jobs. Until the run is over, torch keeps to one
            thread.

        Raises:
            RunError: an action, observation or reward is not finite, or most paths diverge.
        """
        with one_torch_thread():
            new = start(self.env.num_envs)
            if not new.job.size:
                return
            lanes = _Lanes(self.env, self._make_actor(), generator, new, record_terms=self.record_terms)
            while lanes.num_busy:
                ended, diverged = lanes.step_until_some_end()
                self._count_diverged(diverged)
                ended = lanes.begin_empty_anew(ended)
                if ended.size:
                    yield lanes.job[ended], lanes.take(ended)
                    lanes.begin(start(lanes.num_free))

    def _count_diverged(self, diverged: NDArray[np.bool_]) -> None:
        """Take note of which of the paths that just ended diverged, (paths,).

        Raises:
            RunError: most of the last ones did.
        """
        self.num_diverged += int(diverged.sum())
        self._diverged.extend(diverged.tolist())
        count, paths = sum(self._diverged), len(self._diverged)
        if diverged.any() and count > max(FEW_DIVERGED, paths / 2):
            raise RunError(
                f"the simulation diverges: in {count} of the last {paths} episodes its state was no longer finite;"
                " check the environment's dynamics, time step and range of actions"
            )

    def sample(
        self, tasks: IndexArray, z: Tensor, generator: torch.Generator | None
    ) -> Iterator[tuple[IndexArray, Paths]]:
        """One path for each entry of `tasks` (paths,) with its `z` (paths, latent), as they end."""
        begun = 0

        def start(num_lanes: int) -> Start:
            nonlocal begun
            these = slice(begun, begun + num_lanes)
            begun += num_lanes
            return Start(np.arange(len(tasks))[these], tasks[these], z[these])

        return self.run(start, generator)


class _Lanes:
    """The lanes of one run: what each is doing, and what it did."""

    def __init__(
        self,
        env: LaneEnv,
        actor: Actor,
        generator: torch.Generator | None,
        first: Start,
        *,
        record_terms: bool,
    ) -> None:
        """One lane for each path of `first`, which begin; the environment's other lanes are left alone."""
        lanes = len(first.job)
        self._env, self._generator = env, generator
        self._actor = actor
        self._log = LaneLog(env, lanes, record_terms=record_terms)
        self._tasks = np.zeros(lanes, dtype=np.int64)
        self._z = torch.zeros_like(first.z)
        self._length, self._end = (np.zeros(lanes, dtype=np.int64) for _ in range(2))
        self._actions = np.zeros((env.num_envs, env.action_dim), dtype=np.float32)
        self.job = np.full(lanes, FREE)
        self.begin(first)

    @property
    def num_busy(self) -> int:
        """How many lanes are within a path."""
        return int((self.job != FREE).sum())

    @property
    def num_free(self) -> int:
        return len(self.job) - self.num_busy

    def begin(self, new: Start) -> None:
        """Begin the paths of `new` in the first free lanes."""
        if not new.job.size:
            return
        lanes = np.flatnonzero(self.job == FREE)[: len(new.job)]
        self.job[lanes], self._tasks[lanes], self._length[lanes] = new.job, new.tasks, 0
        self._z[torch.from_numpy(lanes)] = new.z
        mask = np.zeros(self._env.num_envs, dtype=bool)
        mask[lanes] = True
        self._env.set_tasks(new.tasks, lanes=lanes)
        self._log.obs[lanes] = self._env.reset(options={"reset_mask": mask})[0][lanes]
        self._require_finite("first observation", self._log.obs[lanes], lanes)

    def step_until_some_end(self) -> tuple[IndexArray, NDArray[np.bool_]]:
        """Step the busy lanes until REFILL_SHARE of them, at least one, have ended: which, and which diverged."""
        env, width = self._env, len(self.job)
        lanes = np.flatnonzero(self.job != FREE)
        busy = slice(width) if len(lanes) == width else lanes  # a slice makes no copies
        act = self._actor(self._z[torch.from_numpy(lanes)], self._generator)
        goes_on = np.ones(len(lanes), dtype=bool)
        no_lane, diverged = (np.zeros(num, dtype=bool) for num in (env.num_envs, len(lanes)))
        enough = max(1, int(len(lanes) * REFILL_SHARE))
        while True:
            actions = act(self._log.obs[busy])
            self._require_finite("action", actions, lanes)
            self._actions[busy] = actions
            next_obs, reward, terminated, truncated, info = env.step(self._actions)
            self._log.record(self._actions, next_obs, reward, terminated, info)
            self._require_finite("observation", self._log.obs[busy], lanes)
            for name, values in self._log.last_rewards:
                self._require_finite(name, values[busy], lanes)
            self._length[busy] += goes_on
            over = (terminated | truncated)[busy]
            if over.any():
                broken = info.get("diverged", no_lane)[busy].astype(bool) & goes_on
                self._end[lanes[goes_on & over]] = self._log.num_steps
                self._end[lanes[broken]] -= 1  # what the broken step led to is not kept
                self._length[lanes[broken]] -= 1
                diverged |= broken
                goes_on &= ~over
                if (~goes_on).sum() >= enough:
                    return np.asarray(lanes[~goes_on]), diverged[~goes_on]

    def begin_empty_anew(self, lanes: IndexArray) -> IndexArray:
        """Of `lanes`, which have ended, begin those anew that have no step; returns the others."""
        empty = lanes[self._length[lanes] == 0]
        if empty.size:
            again = Start(self.job[empty], self._tasks[empty], self._z[torch.from_numpy(empty)])
            self.job[empty] = FREE
            self.begin(again)
        return np.asarray(np.setdiff1d(lanes, empty))

    def take(self, lanes: IndexArray) -> Paths:
        """The paths that `lanes` have ended; the lanes are free then."""
        self.job[lanes] = FREE
        return self._log.paths(lanes, self._tasks[lanes], self._length[lanes], self._end[lanes])

    def _require_finite(self, what: str, values: FloatArray, lanes: IndexArray) -> None:
        """Stop where one of `lanes` acts or observes something that is not finite, `values` (lanes, ...).

        Raises:
            RunError: with task, step and values.
        """
        if not np.isfinite(values).all():
            row = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0]
            lane = lanes[row]
            place = f"task {self._tasks[lane]}, step {self._length[lane] + 1}"
            raise RunError(f"{what} not finite in {place}: {values[row].tolist()}")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one CPU thread inside the block.

    Policy and beliefs of some lanes are too small to share, and torch's other threads, which spin for milliseconds
    while they wait for more, would take the cores that the physics needs.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
