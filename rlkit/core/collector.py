"""Collector: training data of many tasks at once, with z from the prior or from the posterior."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from rlkit.data_management.context import ContextSampler
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.distributions import Belief
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.records import IndexArray, Paths, Start


class Collector:
    """Collects whole paths until each task has its number of transitions or more.

    A path takes `max_path_length` steps at most, so a task that still misses n transitions needs at least
    n / max_path_length more paths whatever happens: so many run side by side, and the set of paths is what
    running them one after the other would have made.
    """

    def __init__(self, sampler: PathSampler, agent: PEARLAgent, generator: torch.Generator) -> None:
        """`generator` (on the agent's device) draws z and the exploration noise."""
        self._sampler = sampler
        self._agent = agent
        self._generator = generator

    def seed(self, env_seed: int, agent_seed: int) -> None:
        """Start the random streams of resets and exploration afresh."""
        self._sampler.seed(env_seed)
        self._generator.manual_seed(agent_seed)

    @property
    def num_diverged(self) -> int:
        """How many paths a diverging simulation has cut since `seed`."""
        return self._sampler.num_diverged

    def from_prior(self, tasks: IndexArray, num_steps: int) -> Iterator[Paths]:
        """Paths with z ~ prior, redrawn for each, `num_steps` transitions or more of each of `tasks`."""
        account = _Account(len(tasks), num_steps, self._sampler.max_path_length)

        def start(num_lanes: int) -> Start:
            job, _ = account.begin(account.needed(), num_lanes)
            return Start(job, tasks[job], self._agent.prior(len(job)).sample(self._generator))

        return self._run(start, account)

    def from_posterior(
        self,
        tasks: IndexArray,
        num_steps: int,
        contexts: ContextSampler,
        *,
        paths_per_update: int,
        context_grows: bool,
    ) -> Iterator[Paths]:
        """Paths with z ~ q(z|c), `num_steps` transitions or more of each of `tasks` (distinct).

        A task's first `paths_per_update` paths take z from the prior; the posterior is inferred afresh for each
        following group of so many. z is drawn anew for each path.

        Args:
            tasks: distinct task indices.
            num_steps: transitions wanted per task.
            contexts: draws a context for each of its tasks, (tasks, context, context_dim).
            paths_per_update: paths that share a posterior.
            context_grows: whether these paths are drawn as context too: then a group waits for the one before,
                else all groups run side by side.
        """
        account = _Account(len(tasks), num_steps, self._sampler.max_path_length)
        beliefs = _GroupBeliefs(self._agent, tasks, lambda drawn: contexts.draw(drawn, self._generator))

        def start(num_lanes: int) -> Start:
            count = account.needed()
            if context_grows:
                count = np.minimum(count, account.left_in_group(paths_per_update))
            job, number = account.begin(count, num_lanes)
            return Start(job, tasks[job], beliefs.of(job, number // paths_per_update).sample(self._generator))

        return self._run(start, account)

    def _run(self, start: Callable[[int], Start], account: _Account) -> Iterator[Paths]:
        for job, paths in self._sampler.run(start, self._generator):
            account.end(job, paths.length)
            yield paths


class _Account:
    """What each task misses, and how many of its paths have begun and ended; all arrays (tasks,)."""

    def __init__(self, num_tasks: int, num_steps: int, max_path_length: int) -> None:
        self._missing = np.full(num_tasks, num_steps)  # transitions
        self._begun, self._ended = (np.zeros(num_tasks, dtype=np.int64) for _ in range(2))
        self._max_path_length = max_path_length

    def needed(self) -> IndexArray:
        """How many more paths each task needs whatever those under way bring."""
        paths = -(-self._missing.clip(min=0) // self._max_path_length)
        return (paths - (self._begun - self._ended)).clip(min=0)

    def left_in_group(self, size: int) -> IndexArray:
        """How many paths may begin before those under way have ended, where paths wait in groups of `size`."""
        return (self._ended // size + 1) * size - self._begun

    def begin(self, count: IndexArray, num_lanes: int) -> tuple[IndexArray, IndexArray]:
        """Begin up to `count` paths of each task, `num_lanes` in all, first of those that miss most.

        Returns:
            Task and number within its task (from 0) of each, both (paths,), in the order of the tasks.
        """
        job = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(job)) - np.repeat(np.cumsum(count) - count, count)
        number = self._begun[job] + within
        expected = self._missing[job] - (number - self._ended[job]) * self._max_path_length
        chosen = np.sort(np.argsort(-expected, kind="stable")[:num_lanes])
        job, number = job[chosen], number[chosen]
        np.add.at(self._begun, job, 1)
        return job, number

    def end(self, job: IndexArray, length: IndexArray) -> None:
        """Paths of the tasks `job` ended after `length` steps, (paths,) each."""
        np.add.at(self._ended, job, 1)
        np.subtract.at(self._missing, job, length)


class _GroupBeliefs:
    """The belief of each (task, group of paths), inferred when first asked for; group 0 has the prior."""

    def __init__(self, agent: PEARLAgent, tasks: IndexArray, draw_context: Callable[[IndexArray], Tensor]) -> None:
        self._agent = agent
        self._tasks = tasks
        self._draw_context = draw_context
        self._rows = {(job, 0): job for job in range(len(tasks))}
        self._beliefs = agent.prior(len(tasks))

    def of(self, job: IndexArray, group: IndexArray) -> Belief:
        """Beliefs of the given (job, group) pairs, row by row."""
        keys = list(zip(job.tolist(), group.tolist(), strict=True))
        new = [key for key in dict.fromkeys(keys) if key not in self._rows]
        if new:
            context = self._draw_context(self._tasks[[job for job, _ in new]])
            for key in new:
                self._rows[key] = len(self._rows)
            self._beliefs = self._beliefs.joined(self._agent.posterior(context))
        return self._beliefs.rows(np.array([self._rows[key] for key in keys], dtype=np.int64))
