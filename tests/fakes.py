"""Stand-ins whose numbers reveal mistakes: the reward is the task's index, z is the mean reward of the context."""

import numpy as np
import torch

from rlkit.config.settings import AlgoParams, Config
from rlkit.launchers.build import build_pearl
from rlkit.torch.distributions import Belief
from rlkit.util.records import Dims, Paths

OBS_DIM, ACTION_DIM = 3, 2
SPARSE_OFFSET = 100.0  # the sparse reward is the task's index plus this
REWARD_COLUMN = OBS_DIM + ACTION_DIM


class FakeEnv:
    """Lanes that observe (task, steps taken, number of the lane's episode) and are paid their task's index.

    An episode of task t ends by itself after `lengths[t]` steps, or is cut at `max_path_length`.
    """

    observation_dim, action_dim, has_sparse_reward = OBS_DIM, ACTION_DIM, True

    def __init__(self, num_envs, max_path_length=5, lengths=None):
        self.num_envs, self.max_path_length = num_envs, max_path_length
        self.lengths = lengths or {}
        self.lane_tasks = np.zeros(num_envs, dtype=np.int64)
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.episodes = np.zeros(num_envs, dtype=np.int64)
        self.done = np.ones(num_envs, dtype=bool)
        self.stepped = 0  # lanes simulated, all steps added up
        self.seeds = []

    def set_tasks(self, indices, lanes):
        self.lane_tasks[lanes] = indices

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.seeds.append(seed)
        mask = np.ones(self.num_envs, dtype=bool) if options is None else options["reset_mask"]
        self.steps[mask] = 0
        self.episodes[mask] += 1
        self.done[mask] = False
        return self._observe(), {}

    def step(self, actions):
        assert actions.shape == (self.num_envs, ACTION_DIM)
        live = ~self.done
        self.stepped += live.sum()
        self.steps += live
        natural_end = np.array([self.lengths.get(task, 10**9) for task in self.lane_tasks])
        terminated = self.steps >= natural_end
        truncated = self.steps >= self.max_path_length
        self.done |= terminated | truncated
        reward = self.lane_tasks.astype(float)
        return (
            self._observe(),
            reward,
            terminated,
            truncated,
            {
                "sparse_reward": reward + SPARSE_OFFSET,
                "reward_task": 2 * reward,
                "success": self.lane_tasks * (self.steps == 2),
            },
        )

    def _observe(self):
        return np.stack([self.lane_tasks, self.steps, self.episodes], axis=1).astype(float)


class FakeAgent:
    """Belief: mean is the mean reward in the context and variance 0, so z tells whose context it was; prior z is -1.

    The action is (z, 0), so that a path tells which z made it.
    """

    def __init__(self):
        self.contexts = []

    def prior(self, num_tasks):
        return Belief(torch.full((num_tasks, 1), -1.0), torch.zeros(num_tasks, 1))

    def posterior(self, context):
        context = torch.as_tensor(context)
        return self.fuse(context, [context.shape[1]] * len(context))

    def codes(self, transitions):
        return transitions

    def fuse(self, codes, length):
        codes = torch.as_tensor(codes)
        self.contexts.append((codes.clone(), np.array(length)))
        mean = torch.stack([rows[:n, REWARD_COLUMN].mean() for rows, n in zip(codes, length, strict=True)])
        return Belief(mean[:, None], torch.zeros(len(mean), 1))

    def actor(self):
        return self.for_z

    def for_z(self, z, generator):
        def act(obs):
            assert len(obs) == len(z)
            return np.concatenate([z.numpy(), np.zeros_like(z.numpy())], axis=1)

        return act


class FakeContexts:
    """Draws contexts by a function of tasks and generator."""

    def __init__(self, draw):
        self.draw = draw


def make_trainer(
    obs_dim=4, action_dim=2, *, net_size=16, encoder_size=16, latent_size=5, seed=3, device="cpu", **algo
):
    """A trainer with fresh networks; `algo` are settings of algo_params."""
    sizes = {"net_size": net_size, "encoder_size": encoder_size, "latent_size": latent_size}
    config = Config(env_name="none", algo_params=AlgoParams(**algo), **sizes)
    generator = torch.Generator().manual_seed(seed)
    return build_pearl(config, Dims(obs_dim, action_dim), torch.device(device), generator)


def make_paths(tasks, length, max_length=None, first_step=0):
    """Episodes whose rows say task and step: obs (task, step, 0), reward task, sparse reward task + 100."""
    tasks = np.asarray(tasks)
    lengths = np.broadcast_to(length, tasks.shape).astype(np.int64)
    steps = int(max_length or lengths.max())
    step = first_step + np.arange(steps, dtype=np.float32)
    task = np.broadcast_to(tasks[:, None], (len(tasks), steps)).astype(np.float32)
    obs = np.stack([task, np.broadcast_to(step, task.shape), np.zeros_like(task)], axis=-1)
    return Paths(
        task=tasks,
        length=lengths,
        obs=obs,
        action=np.zeros((len(tasks), steps, ACTION_DIM), dtype=np.float32),
        reward=task,
        next_obs=obs + np.array([0, 1, 0], dtype=np.float32),
        terminal=np.zeros_like(task),
        sparse_reward=task + SPARSE_OFFSET,
    )
