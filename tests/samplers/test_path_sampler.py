import numpy as np
import pytest
import torch
from fakes import SPARSE_OFFSET, FakeAgent, FakeEnv

import envs
from rlkit.samplers.path_sampler import PathSampler
from rlkit.util.errors import RunError
from rlkit.util.records import Start


def test_lanes_do_not_mix():
    env = FakeEnv(num_envs=8, max_path_length=4)
    tasks = np.array([3, 1, 4, 1, 5])
    z = torch.tensor([[30.0], [10.0], [40.0], [11.0], [50.0]])
    ((episodes, paths),) = PathSampler(env, FakeAgent().actor).sample(tasks, z, None)
    assert episodes.tolist() == [0, 1, 2, 3, 4]
    assert (paths.task == tasks).all()
    assert (paths.obs[..., 0] == tasks[:, None]).all()
    assert (paths.reward == tasks[:, None]).all()
    assert (paths.sparse_reward == tasks[:, None] + SPARSE_OFFSET).all()
    assert (paths.action[..., 0] == z.numpy()).all()
    assert (paths.obs[..., 1] == np.arange(4)).all()
    assert (paths.next_obs[..., 1] == np.arange(1, 5)).all()


def test_a_time_limit_is_no_terminal_and_an_end_is():
    env = FakeEnv(num_envs=3, max_path_length=5, lengths={1: 2, 2: 5})
    zero, one, two = one_by_one(
        PathSampler(env, FakeAgent().actor).sample(np.array([0, 1, 2]), torch.zeros(3, 1), None)
    )
    assert [len(path["reward"]) for path in (zero, one, two)] == [5, 2, 5]
    assert zero["terminal"].tolist() == [0, 0, 0, 0, 0]
    assert one["terminal"].tolist() == [0, 1]
    assert two["terminal"].tolist() == [0, 0, 0, 0, 1]  # its own end, at the limit


def one_by_one(batches):
    """The episodes in the order in which they were asked for, each cut to its length."""
    found = {}
    for episodes, paths in batches:
        for row, episode in enumerate(episodes.tolist()):
            fields = ("obs", "action", "reward", "next_obs", "terminal", "sparse_reward")
            found[episode] = {name: getattr(paths, name)[row, : paths.length[row]] for name in fields}
            found[episode]["task"] = int(paths.task[row])
    return [found[episode] for episode in sorted(found)]


def test_lanes_that_wait_are_not_stepped():
    env = FakeEnv(num_envs=6, max_path_length=10, lengths={1: 2, 2: 7})
    paths = one_by_one(PathSampler(env, FakeAgent().actor).sample(np.array([1, 2, 1]), torch.zeros(3, 1), None))
    assert env.stepped == 2 + 7 + 2
    assert [path["reward"].tolist() for path in paths] == [[1] * 2, [2] * 7, [1] * 2]
    assert [path["sparse_reward"].tolist() for path in paths] == [[101] * 2, [102] * 7, [101] * 2]


@pytest.mark.parametrize("num_envs", [1, 2, 3, 8])
def test_where_an_episode_ends_another_one_begins(num_envs):
    """Whatever lane and time an episode gets, it is what it would have been alone."""
    lengths = {1: 1, 2: 2, 3: 7, 4: 4}
    env = FakeEnv(num_envs, max_path_length=6, lengths=lengths)
    tasks = np.random.default_rng(0).integers(0, 6, 60)
    z = 10.0 * torch.arange(60.0)[:, None]
    paths = one_by_one(PathSampler(env, FakeAgent().actor).sample(tasks, z, None))
    assert [path["task"] for path in paths] == tasks.tolist()
    for number, (task, path) in enumerate(zip(tasks.tolist(), paths, strict=True)):
        length = min(6, lengths.get(task, 6))
        assert path["obs"][:, 0].tolist() == [task] * length
        assert path["obs"][:, 1].tolist() == list(range(length))
        assert len(set(path["obs"][:, 2].tolist())) == 1  # one and the same episode of its lane
        assert path["next_obs"][:, 1].tolist() == list(range(1, length + 1))
        assert path["action"][:, 0].tolist() == [10.0 * number] * length
        assert path["terminal"].tolist() == [0] * (length - 1) + [float(lengths.get(task, 10) <= 6)]
    assert env.stepped == sum(len(path["reward"]) for path in paths)


def test_behind_an_end_there_are_zeros():
    """Whatever the lanes did before: so a sum over all steps is the return."""
    env = FakeEnv(num_envs=10, max_path_length=6, lengths={1: 1, 2: 2, 4: 4})
    tasks = np.random.default_rng(0).integers(1, 6, 100)
    for _, paths in PathSampler(env, FakeAgent().actor, record_terms=True).sample(tasks, torch.ones(100, 1), None):
        padding = ~paths.valid()
        for values in (paths.action, paths.reward, paths.terminal, paths.sparse_reward, paths.terms["reward_task"]):
            assert (values[padding] == 0).all()
        last = np.zeros_like(padding)
        np.put_along_axis(last, np.minimum(paths.length, padding.shape[1] - 1)[:, None], True, axis=1)
        assert (paths.obs[padding & ~last] == 0).all()
        assert (paths.next_obs[padding] == 0).all()


def test_short_episodes_do_not_wait_for_a_long_one():
    env = FakeEnv(num_envs=2, max_path_length=10, lengths={1: 2})
    ends = [
        episodes.tolist()
        for episodes, _ in PathSampler(env, FakeAgent().actor).sample(
            np.array([0, 1, 1, 1, 1]), torch.zeros(5, 1), None
        )
    ]
    assert ends == [[1], [2], [3], [4], [0]]


def test_episodes_begin_when_they_may():
    """A schedule that holds an episode back until two others have ended is asked again when they have."""
    env = FakeEnv(num_envs=4, max_path_length=5, lengths={1: 1, 2: 3})
    ended = []

    def start(num_lanes):
        if not ended:
            return Start(np.array([7, 8]), np.array([1, 2]), torch.zeros(2, 1))
        job = np.array([9] if len(ended) == 2 else [], dtype=np.int64)
        return Start(job, job - 6, torch.zeros(len(job), 1))

    for job, paths in PathSampler(env, FakeAgent().actor).run(start, None):
        ended += zip(job.tolist(), paths.task.tolist(), paths.length.tolist(), strict=True)
    assert ended == [(7, 1, 1), (8, 2, 3), (9, 3, 5)]


def test_torch_keeps_to_one_thread_while_the_lanes_run():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run = PathSampler(FakeEnv(2), FakeAgent().actor).sample(np.array([1, 2, 3, 4]), torch.zeros(4, 1), None)
        next(run)
        assert torch.get_num_threads() == 1
        run.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


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
    sampler = PathSampler(env, FakeAgent().actor)
    sampler.seed(5)
    assert env.seeds == [5]
    list(sampler.sample(np.array([1, 2]), torch.zeros(2, 1), None))
    assert env.stepped == 2 * 3


class BrokenAgent(FakeAgent):
    def for_z(self, z, generator):
        act = super().for_z(z, generator)
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
        list(PathSampler(env, agent.actor).sample(np.array([1, 7, 4]), torch.zeros(3, 1), None))


class DivergingEnv(FakeEnv):
    """The simulation of task 3 breaks in its second step, that of task 4 in the first of a lane's first episode."""

    def step(self, actions):
        live = ~self.done
        observations, rewards, terminated, truncated, info = super().step(actions)
        breaks = (self.lane_tasks == 3) & (self.steps == 2) | (self.lane_tasks == 4) & (self.episodes == 1)
        diverged = live & breaks
        self.done |= diverged
        truncated = truncated | (breaks & self.done)
        return observations, np.where(diverged, 99.0, rewards), terminated, truncated, {**info, "diverged": diverged}


@pytest.mark.parametrize("num_envs", [1, 2, 4])
def test_a_broken_step_is_not_kept(num_envs):
    sampler = PathSampler(DivergingEnv(num_envs, max_path_length=4), FakeAgent().actor)
    sampler.seed(0)
    three, two, four = one_by_one(sampler.sample(np.array([3, 2, 4]), torch.zeros(3, 1), None))
    assert three["reward"].tolist() == [3]
    assert three["next_obs"][:, 1].tolist() == [1]
    assert three["terminal"].tolist() == [0]
    assert two["reward"].tolist() == [2] * 4
    assert four["reward"].tolist() == [4] * 4  # begun anew where nothing was left of it
    assert sampler.num_diverged == (2 if num_envs > 2 else 1)  # the first episode of task 4's lane may be another's
    sampler.seed(0)
    assert sampler.num_diverged == 0


def test_some_divergences_are_borne_and_most_are_not():
    sampler = PathSampler(DivergingEnv(4, max_path_length=4), FakeAgent().actor)
    list(sampler.sample(np.array([3] * 10 + [2] * 90), torch.zeros(100, 1), None))
    list(sampler.sample(np.array([3] * 50), torch.zeros(50, 1), None))
    with pytest.raises(RunError, match=r"in 51 of the last 100 episodes"):
        list(sampler.sample(np.array([3]), torch.zeros(1, 1), None))


class UnpaidEnv(FakeEnv):
    def step(self, actions):
        observations, rewards, *ends, info = super().step(actions)
        return observations, np.where(rewards == 4, np.nan, rewards), *ends, info


class OverflowingEnv(FakeEnv):
    def step(self, actions):
        *outcome, info = super().step(actions)
        return *outcome, {**info, "sparse_reward": np.where(self.lane_tasks == 4, -np.inf, 0.0)}


class LostEnv(FakeEnv):
    def reset(self, *, seed=None, options=None):
        observations, info = super().reset(seed=seed, options=options)
        return np.where(self.lane_tasks[:, None] == 7, np.nan, observations), info


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (UnpaidEnv(4), r"^reward not finite in task 4, step 1: nan"),
        (OverflowingEnv(4), r"^sparse_reward not finite in task 4, step 1: -inf"),
        (LostEnv(4), r"^first observation not finite in task 7, step 1: "),
    ],
)
def test_rewards_and_starts_that_are_not_finite_stop_too(env, message):
    with pytest.raises(RunError, match=message):
        list(PathSampler(env, FakeAgent().actor).sample(np.array([1, 7, 4]), torch.zeros(3, 1), None))
