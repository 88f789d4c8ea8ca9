"""Trajectories of the reference's environments, met to 1e-4."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import envs

GOAL_ENTRY = {
    "ant-dir": "angle",
    "ant-goal": "goal",
    "cheetah-dir": "direction",
    "cheetah-vel": "velocity",
    "humanoid-dir": "angle",
    "point-robot": "goal",
    "sparse-point-robot": "goal",
}


def load_tasks(path):
    """The golden file as one dict of arrays per task."""
    tasks = {}
    with np.load(path) as data:
        for key in data.files:
            task, name = key.split("/", 1)
            tasks.setdefault(task, {})[name] = data[key]
    return [tasks[name] for name in sorted(tasks, key=lambda name: int(name.removeprefix("task")))]


def as_task(env_name, golden):
    if "goal" in golden:
        return {GOAL_ENTRY[env_name]: golden["goal"].tolist()}
    return {key.removeprefix("param/"): value.tolist() for key, value in golden.items() if key.startswith("param/")}


@pytest.mark.parametrize("env_name", sorted(envs.FAMILIES))
def test_trajectories_of_all_tasks_at_once(golden_dir, env_name):
    golden = load_tasks(golden_dir / "env" / f"{env_name}.npz")
    env = envs.make_env(
        env_name,
        len(golden),
        tasks=[as_task(env_name, task) for task in golden],
        max_path_length=max(len(task["actions"]) for task in golden) + 1,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    observations, _ = env.reset(seed=0, options={"start_states": np.stack([task["start_state"] for task in golden])})
    for lane, task in enumerate(golden):
        np.testing.assert_allclose(observations[lane], task["observations"][0], atol=1e-4)

    live = np.ones(len(golden), dtype=bool)
    for step in range(max(len(task["actions"]) for task in golden)):
        live &= [step < len(task["actions"]) for task in golden]
        actions = np.stack([task["actions"][min(step, len(task["actions"]) - 1)] for task in golden])
        observations, rewards, terminations, _, info = env.step(actions)
        for lane in np.flatnonzero(live):
            task = golden[lane]
            np.testing.assert_allclose(observations[lane], task["observations"][step + 1], atol=1e-4)
            np.testing.assert_allclose(rewards[lane], task["rewards"][step], atol=1e-4)
            assert terminations[lane] == task["terminals"][step]
            if "sparse_rewards" in task:
                np.testing.assert_allclose(info["sparse_reward"][lane], task["sparse_rewards"][step], atol=1e-4)
