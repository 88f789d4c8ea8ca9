import numpy as np
import pytest
import torch
from fakes import REWARD_COLUMN, FakeAgent, FakeContexts, FakeEnv

from rlkit.core.collector import Collector
from rlkit.samplers.path_sampler import PathSampler

PRIOR_Z = -1.0


class Bench:
    """A collector, and a context that tells its task and how much had been collected when it was drawn."""

    def __init__(self, lengths=None, num_envs=16):
        self.env = FakeEnv(num_envs, max_path_length=5, lengths=lengths)
        self.agent = FakeAgent()
        self.collector = Collector(PathSampler(self.env, self.agent.actor), self.agent, torch.Generator())
        self.paths = []  # (task, z, length) in order
        self.drawn = []  # (task, episodes stored at that time)

    def draw_context(self, tasks, generator):
        assert isinstance(generator, torch.Generator)
        context = torch.zeros(len(tasks), 4, REWARD_COLUMN + 1)
        for row, task in enumerate(tasks):
            episodes = sum(path[0] == task for path in self.paths)
            self.drawn.append((int(task), episodes))
            context[row, :, REWARD_COLUMN] = 1000 * float(task) + episodes
        return context

    def store(self, batches):
        for paths in batches:
            z = paths.action[:, 0, 0]
            self.paths += [(int(t), float(v), int(n)) for t, v, n in zip(paths.task, z, paths.length, strict=True)]

    def of(self, task):
        return [(z, length) for t, z, length in self.paths if t == task]

    def posterior(self, tasks, num_steps, **kwargs):
        self.store(
            self.collector.from_posterior(np.array(tasks), num_steps, FakeContexts(self.draw_context), **kwargs)
        )


def test_whole_episodes_until_the_count_is_reached_or_passed():
    bench = Bench(lengths={1: 2})
    bench.store(bench.collector.from_prior(np.array([0, 1]), 12))
    assert bench.of(0) == [(PRIOR_Z, 5)] * 3  # 15: the last one is not cut
    assert bench.of(1) == [(PRIOR_Z, 2)] * 6  # 12, exactly as many as one after the other


def test_zero_steps_collect_nothing():
    bench = Bench()
    bench.store(bench.collector.from_prior(np.array([0, 1]), 0))
    bench.posterior([0, 1], 0, paths_per_update=1, context_grows=True)
    assert bench.paths == []
    assert bench.drawn == []


def test_the_first_episode_has_the_prior_and_the_others_their_own_tasks_posterior():
    bench = Bench()
    bench.posterior([3, 7], 20, paths_per_update=1, context_grows=False)
    for task in (3, 7):
        z = [z for z, _ in bench.of(task)]
        assert z == [PRIOR_Z, 1000 * task, 1000 * task, 1000 * task]
    assert len(bench.drawn) == 6  # a context of its own for each episode


def test_growing_context_sees_the_episodes_before():
    bench = Bench()
    bench.posterior([3, 7], 20, paths_per_update=1, context_grows=True)
    for task in (3, 7):
        assert [z for z, _ in bench.of(task)] == [PRIOR_Z, 1000 * task + 1, 1000 * task + 2, 1000 * task + 3]


@pytest.mark.parametrize("context_grows", [False, True])
def test_posterior_is_refreshed_every_so_many_episodes(context_grows):
    bench = Bench()
    bench.posterior([2], 30, paths_per_update=2, context_grows=context_grows)
    seen = (2, 4) if context_grows else (0, 0)
    expected = [PRIOR_Z] * 2 + [2000 + seen[0]] * 2 + [2000 + seen[1]] * 2
    assert [z for z, _ in bench.of(2)] == expected
    assert len(bench.drawn) == 2


@pytest.mark.parametrize("context_grows", [False, True])
def test_early_ends_count_as_one_after_the_other(context_grows):
    bench = Bench(lengths={1: 2})
    bench.posterior([0, 1], 9, paths_per_update=3, context_grows=context_grows)
    assert len(bench.of(0)) == 2
    assert len(bench.of(1)) == 5  # 10 steps
    assert [z for z, _ in bench.of(1)][:3] == [PRIOR_Z] * 3
    assert bench.drawn == [(1, 3 if context_grows else bench.drawn[0][1])]


def test_groups_larger_than_the_lanes():
    bench = Bench(num_envs=3)
    bench.store(bench.collector.from_prior(np.arange(5), 10))
    assert sorted(task for task, _, _ in bench.paths) == sorted(2 * list(range(5)))
