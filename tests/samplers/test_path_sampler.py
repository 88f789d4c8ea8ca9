import numpy as np
import pytest
import torch
from fakes import SPARSE_OFFSET, FakeAgent, FakeEnv

import envs
from rlkit.core.errors import RunError
from rlkit.samplers.path_sampler import PathSampler


def test_lanes_do_not_mix():
    env = FakeEnv(num_envs=8, max_path_length=4)
    tasks = np.array([3, 1, 4, 1, 5])
    z = torch.tensor([[30.0], [10.0], [40.0], [11.0], [50.0]])
    (paths,) = PathSampler(env, FakeAgent()).sample(tasks, z, None)
    assert (paths.task == tasks).all()
    assert (paths.obs[..., 0] == tasks[:, None]).all()
    assert (paths.reward == tasks[:, None]).all()
    assert (paths.sparse_reward == tasks[:, None] + SPARSE_OFFSET).all()
    assert (paths.action[..., 0] == z.numpy()).all()
    assert (paths.obs[..., 1] == np.arange(4)).all()
    assert (paths.next_obs[..., 1] == np.arange(1, 5)).all()


def test_a_time_limit_is_no_terminal_and_an_end_is():
    env = FakeEnv(num_envs=3, max_path_length=5, lengths={1: 2, 2: 5})
    (paths,) = PathSampler(env, FakeAgent()).sample(np.array([0, 1, 2]), torch.zeros(3, 1), None)
    assert paths.length.tolist() == [5, 2, 5]
    assert (paths.terminal[0] == 0).all()
    assert paths.terminal[1, :2].tolist() == [0, 1]
    assert paths.terminal[2].tolist() == [0, 0, 0, 0, 1]  # its own end, at the limit


def test_finished_lanes_are_not_stepped():
    env = FakeEnv(num_envs=6, max_path_length=10, lengths={1: 2, 2: 7})
    (paths,) = PathSampler(env, FakeAgent()).sample(np.array([1, 2, 1]), torch.zeros(3, 1), None)
    assert env.stepped == 2 + 7 + 2
    assert paths.obs.shape[1] == 7  # nobody waits for the limit
    assert paths.returns(sparse=False).tolist() == [2, 14, 2]
    assert paths.returns(sparse=True).tolist() == [2 * 101, 7 * 102, 2 * 101]


def test_more_episodes_than_lanes_come_in_pieces():
    env = FakeEnv(num_envs=2, max_path_length=3)
    tasks = np.array([0, 1, 2, 3, 4])
    z = 10.0 * torch.arange(5.0)[:, None]
    pieces = list(PathSampler(env, FakeAgent()).sample(tasks, z, None))
    assert [paths.task.tolist() for paths in pieces] == [[0, 1], [2, 3], [4]]
    for paths in pieces:
        assert (paths.action[..., 0] == 10 * paths.task[:, None]).all()


@pytest.mark.parametrize("num_threads", [1, 2])
def test_physics_does_not_depend_on_lanes_beside_or_threads(num_threads):
    """A path with given start and actions is the same alone and among others, on one thread and on two."""
    start = np.random.default_rng(0).normal(0, 0.1, (5, 18))
    actions = np.random.default_rng(1).uniform(-1, 1, (10, 5, 6))

    def run(lanes, threads):
        env = envs.make_env("cheetah-vel", len(lanes), n_tasks=1, num_threads=threads)
        env.reset(options={"start_states": start[lanes]})
        return np.stack([env.step(action[lanes])[0] for action in actions])

    together = run([0, 1, 2, 3, 4], num_threads)
    for lane in range(5):
        assert np.array_equal(run([lane], 1)[:, 0], together[:, lane])


def test_seeding_starts_no_episode():
    env = FakeEnv(num_envs=8, max_path_length=3)
    sampler = PathSampler(env, FakeAgent())
    sampler.seed(5)
    assert env.seeds == [5]
    list(sampler.sample(np.array([1, 2]), torch.zeros(2, 1), None))
    assert env.stepped == 2 * 3


class BrokenAgent(FakeAgent):
    def actor(self, z, generator):
        act = super().actor(z, generator)
        return lambda obs: np.where(obs[:, :1] == 7, np.nan, act(obs))  # in task 7


class BrokenEnv(FakeEnv):
    def _observe(self):
        return np.where((self.lane_tasks == 4)[:, None] & (self.steps == 2)[:, None], np.inf, super()._observe())


@pytest.mark.parametrize(
    ("env", "agent", "message"),
    [
        (FakeEnv(4), BrokenAgent(), "action not finite in task 7, step 1"),
        (BrokenEnv(4), FakeAgent(), "observation not finite in task 4, step 2"),
    ],
)
def test_what_is_not_finite_stops_with_its_place(env, agent, message):
    with pytest.raises(RunError, match=message):
        list(PathSampler(env, agent).sample(np.array([1, 7, 4]), torch.zeros(3, 1), None))
