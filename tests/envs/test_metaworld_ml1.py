"""The Meta-World adapter, on a stand-in for the package: its tasks, its split, its words when it is missing."""

import pickle
import sys
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from envs import metaworld_ml1


class Goal:
    def __init__(self, number):
        self.data = pickle.dumps({"rand_vec": np.array([number, 0.0])})


class Sawyer(gymnasium.Env):
    action_space = Box(-1.0, 1.0, (4,), np.float32)
    observation_space = Box(-np.inf, np.inf, (3,), np.float64)

    def __init__(self, render_mode=None):
        self.goal = None

    def set_task(self, goal):
        self.goal = pickle.loads(goal.data)["rand_vec"][0]

    def reset(self, seed=None, options=None):
        return np.zeros(3), {}

    def step(self, action):
        return np.zeros(3), self.goal, False, False, {"success": 1.0}

    def close(self):
        self.goal = None


class Benchmark:
    ENV_NAMES = ("push-v3", "reach-v3")

    def __init__(self, name, seed):
        self.train_classes = {name: Sawyer}
        self.train_tasks = [Goal(number) for number in range(50)]
        self.test_tasks = [Goal(1000 + number) for number in range(50)]


@pytest.fixture
def _stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "metaworld", SimpleNamespace(ML1=Benchmark))
    metaworld_ml1._benchmark.cache_clear()
    yield
    metaworld_ml1._benchmark.cache_clear()


@pytest.mark.usefixtures("_stand_in")
def test_training_goals_come_first_and_test_goals_last(build):
    env = build("metaworld-ml1-reach", 2, n_tasks=10)
    assert [task["rand_vec"][0] for task in env.tasks] == [0, 1, 2, 3, 4, 1000, 1001, 1002, 1003, 1004]
    env.set_tasks([4, 9])
    env.reset(seed=0)
    _, rewards, _, _, info = env.step(np.zeros((2, 4)))
    assert rewards.tolist() == [4, 1004]
    assert info["success"].tolist() == [1, 1]


@pytest.mark.usefixtures("_stand_in")
def test_what_there_is_not(build):
    with pytest.raises(ValueError, match="no skill 'juggle'; choose one of push, reach"):
        build("metaworld-ml1-juggle", 1)
    with pytest.raises(ValueError, match="n_tasks must be at most 100"):
        build("metaworld-ml1-reach", 1, n_tasks=101)


def test_without_the_package_the_command_is_told(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "metaworld", None)
    metaworld_ml1._benchmark.cache_clear()
    with pytest.raises(ValueError, match=r"not installed .*pip install --no-deps metaworld"):
        build("metaworld-ml1-reach", 1)
