"""What a point robot reaches that knows its goal, on the very test tasks of a config; the levels known for the domain
are those of other tasks.
"""

from __future__ import annotations

import numpy as np
from gymnasium.vector import AutoresetMode

from envs import make_env
from envs.point_robot import STEP_SIZE
from rlkit.config.settings import Config
from rlkit.util.records import FloatArray

POINT_ROBOTS = ("point-robot", "sparse-point-robot")
STARTS = 100  # of each task


def walking_levels(config: Config) -> dict[str, float]:
    """Mean returns on the test tasks of walking to the goal and, where the reward is dense, to the centre."""
    sparse = config.algo_params.sparse_rewards
    tasks = np.repeat(np.array(config.test_tasks), STARTS)
    env = make_env(
        config.env_name,
        len(tasks),
        max_path_length=config.algo_params.max_path_length,
        autoreset_mode=AutoresetMode.DISABLED,
        **config.env_params.model_dump(),
    )
    env.set_tasks(tasks)
    goals = np.array([task["goal"] for task in env.tasks])[tasks]
    places = (
        {"straight to the goal": goals} if sparse else {"straight to the goal": goals, "to the centre": 0 * goals}
    )

    def walk(place: FloatArray) -> float:
        obs, _ = env.reset(seed=0)
        total = 0.0
        for _ in range(env.max_path_length):
            obs, reward, _, _, info = env.step(np.clip((place - obs) / STEP_SIZE, -1, 1))
            total += float(np.mean(info["sparse_reward"] if sparse else reward))
        return total

    return {name: walk(place) for name, place in places.items()}
