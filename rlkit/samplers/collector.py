"""Collector: training data of many tasks at once, with z from the prior or from the posterior."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from rlkit.core.protocols import Agent, Belief, DrawContext
from rlkit.core.records import IndexArray, Paths
from rlkit.samplers.path_sampler import PathSampler


class Collector:
    """Collects whole episodes until each task has its number of transitions or more.

    An episode takes `max_path_length` steps at most, so a task that still misses n transitions needs at least
    n / max_path_length more episodes whatever happens: these run side by side, and the set of episodes is what
    running them one after the other would have made.
    """

    def __init__(self, sampler: PathSampler, agent: Agent, generator: torch.Generator) -> None:
        """`generator` (on the agent's device) draws z and the exploration noise."""
        self._sampler = sampler
        self._agent = agent
        self._generator = generator

    def seed(self, env_seed: int, agent_seed: int) -> None:
        """Start the random streams of resets and exploration afresh."""
        self._sampler.seed(env_seed)
        self._generator.manual_seed(agent_seed)

    def from_prior(self, tasks: IndexArray, num_steps: int) -> Iterator[Paths]:
        """Episodes with z ~ prior, redrawn for each, `num_steps` transitions or more of each of `tasks`."""
        missing = np.full(len(tasks), num_steps)
        while (missing > 0).any():
            job = np.repeat(np.arange(len(tasks)), self._paths_needed(missing))
            z = self._agent.prior(len(job)).sample(self._generator)
            yield from self._run(tasks, job, z, missing)

    def from_posterior(
        self,
        tasks: IndexArray,
        num_steps: int,
        draw_context: DrawContext,
        *,
        paths_per_update: int,
        context_grows: bool,
    ) -> Iterator[Paths]:
        """Episodes with z ~ q(z|c), `num_steps` transitions or more of each of `tasks` (distinct).

        A task's first `paths_per_update` episodes take z from the prior; the posterior is inferred afresh for each
        following group of so many. z is drawn anew for each episode.

        Args:
            tasks: distinct task indices.
            num_steps: transitions wanted per task.
            draw_context: draws a context for each of its tasks, (tasks, context, context_dim).
            paths_per_update: episodes that share a posterior.
            context_grows: whether the episodes become context themselves: then a group waits for the one before,
                else all groups run side by side.
        """
        missing = np.full(len(tasks), num_steps)
        done = np.zeros(len(tasks), dtype=np.int64)
        beliefs = _GroupBeliefs(self._agent, tasks, lambda drawn: draw_context(drawn, self._generator))
        while (missing > 0).any():
            count = self._paths_needed(missing)
            if context_grows:
                count = np.minimum(count, paths_per_update - done % paths_per_update)
            job = np.repeat(np.arange(len(tasks)), count)
            number = done[job] + np.concatenate([np.arange(n) for n in count])
            z = beliefs.of(job, number // paths_per_update).sample(self._generator)
            done += count
            yield from self._run(tasks, job, z, missing)

    def _paths_needed(self, missing: IndexArray) -> IndexArray:
        return -(-missing.clip(min=0) // self._sampler.max_path_length)

    def _run(self, tasks: IndexArray, job: IndexArray, z: Tensor, missing: IndexArray) -> Iterator[Paths]:
        """Run one episode per entry of `job`, counting its steps off `missing`."""
        start = 0
        for paths in self._sampler.sample(tasks[job], z, self._generator):
            np.subtract.at(missing, job[start : start + len(paths.length)], paths.length)
            start += len(paths.length)
            yield paths


class _GroupBeliefs:
    """The belief of each (task, group of episodes), inferred when first asked for; group 0 has the prior."""

    def __init__(self, agent: Agent, tasks: IndexArray, draw_context: Callable[[IndexArray], Tensor]) -> None:
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
        return self._beliefs.rows(torch.tensor([self._rows[key] for key in keys]))
