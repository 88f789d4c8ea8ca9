# ruff: noqa: NPY002 - environments like these draw from the global generators
"""Environments as others write them, whose numbers reveal mistakes. Imported by name, as a user's module is."""

import random
from types import SimpleNamespace

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit


class OldContract:
    """The reference's contract without gym: observes (task, native action, draw), is paid its task.

    Tasks and starts are drawn from the global generators, as many forks do. An episode ends after 4 steps.
    """

    def __init__(self, n_tasks=2, randomize_tasks=True, offset=0.0):
        self.tasks = [{"value": offset + np.random.uniform() + random.random()} for _ in range(n_tasks)]
        self.action_space = SimpleNamespace(shape=(2,), low=np.array([-2.0, 0.0]), high=np.array([4.0, 1.0]))
        self.observation_space = SimpleNamespace(shape=(4,))
        self.reset_task(0)

    def get_all_task_idx(self):
        return range(len(self.tasks))

    def reset_task(self, idx):
        self.value = self.tasks[idx]["value"]
        return self.reset()

    def reset(self):
        self.steps = 0
        return np.array([self.value, 0.0, 0.0, np.random.uniform()])

    def step(self, action):
        self.steps += 1
        info = {"sparse_reward": 10 + self.value, "text": "dropped", "array": np.zeros(3)}
        return np.array([self.value, *action, np.random.uniform()]), self.value, self.steps == 4, info


class Modern(gymnasium.Env):
    """A gymnasium environment with three tasks; cut by itself after `own_limit` steps; NaN after a full push."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    action_space = Box(-1.0, 1.0, (1,), np.float32)
    observation_space = Box(-np.inf, np.inf, (1, 2), np.float32)

    def __init__(self, own_limit=5, render_mode=None):
        self.tasks, self.own_limit, self.render_mode = [0, 1, 2], own_limit, render_mode

    def reset_task(self, index):
        self.index = index

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.start = 0, self.np_random.uniform()
        return self.observe(), {}

    def observe(self):
        return np.array([[self.index, self.start]], dtype=np.float32)

    def step(self, action):
        self.steps += 1
        pushed = action[0] == 1.0
        observation = np.full((1, 2), np.nan) if pushed else self.observe()
        return observation, float(self.index), False, self.steps >= self.own_limit, {"reward_index": self.index}

    def render(self):
        return np.full((64, 64, 3), self.index, dtype=np.uint8)


class Field(gymnasium.Env):
    """A point on a line that its action moves by up to 1, paid minus the distance to its task; 10 steps."""

    action_space = Box(-3.0, 3.0, (1,), np.float32)
    observation_space = Box(-np.inf, np.inf, (1,), np.float64)
    horizon = 10

    def __init__(self, n_tasks=2):
        self.tasks = np.linspace(-1, 1, n_tasks).tolist()

    def reset_task(self, index):
        self.goal = self.tasks[index]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.steps = self.np_random.uniform(-1, 1), 0
        return np.array([self.at]), {}

    def step(self, action):
        self.at += float(action[0]) / 3
        self.steps += 1
        return self.outcome()

    def outcome(self):
        return np.array([self.at]), -abs(self.at - self.goal), False, self.steps >= self.horizon, {}


class LateKeys(Field):
    """Tells of a success in the step that has it alone, from its 60th reset on; pays a sparse reward likewise."""

    resets = 0

    def reset(self, *, seed=None, options=None):
        LateKeys.resets += 1
        return super().reset(seed=seed, options=options)

    def outcome(self):
        *outcome, _ = super().outcome()
        late = LateKeys.resets >= 60 and self.steps == 3
        return *outcome, {"success": True, "sparse_reward": 1.0} if late else {}


class Fragile(Field):
    """Breaks where it goes beyond `limit`: its state is no number then."""

    def __init__(self, n_tasks=2, limit=3.0):
        super().__init__(n_tasks)
        self.limit = limit

    def step(self, action):
        outcome = super().step(action)
        if abs(self.at) > self.limit:
            self.at = np.nan
            return self.outcome()
        return outcome


class Unpaid(Field):
    """Is paid no number."""

    def outcome(self):
        observation, _, *rest = super().outcome()
        return observation, np.nan, *rest


class UnpaidSparsely(Field):
    """Is paid a sparse reward that is infinite."""

    def outcome(self):
        *outcome, _ = super().outcome()
        return *outcome, {"sparse_reward": np.inf}


class Limited(TimeLimit):
    """A field of gymnasium's wrapper, which hides the tasks; 4 steps."""

    def __init__(self, n_tasks=2):
        super().__init__(Field(n_tasks), 4)


class Boundless(Field):
    """Takes any action."""

    action_space = Box(-np.inf, np.inf, (1,), np.float32)


class Reaching(Field):
    """Tells of a success in the step alone that is within `width` of the task."""

    def __init__(self, n_tasks=2, width=0.01):
        super().__init__(n_tasks)
        self.width = width

    def outcome(self):
        *outcome, _ = super().outcome()
        return *outcome, {"success": True} if abs(self.at - self.goal) < self.width else {}
