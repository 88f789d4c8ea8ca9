"""Point robots on the plane: reach a goal anywhere (point-robot), or one on a half circle (sparse-point-robot)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from envs.directions import FULL_TURN, unit_vectors
from envs.family import TaskFamily, require_within
from envs.types import BoolArray, FloatArray, Frame, IndexArray, Info, Rng, Task, TaskArrays

STEP_SIZE = 0.1  # length of a step along each axis at action 1
GOAL_RADIUS = 0.2  # the sparse reward is zero outside it


class PointRobot(TaskFamily):
    """A point that moves by its action; reward minus the distance to the goal, goals anywhere in [-1, 1]^2."""

    action_dim = 2
    observation_dim = 2
    state_dim = 2
    default_max_path_length = 20
    rewarded_radius: ClassVar[float | None] = None  # where a sparse reward is not zero

    def _build(self, num_threads: int) -> None:
        del num_threads  # adding is quick
        self._position = np.zeros((self.num_envs, 2))

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Goals from U[-1, 1]^2, x and y drawn alternately."""
        return [{"goal": goal} for goal in rng.uniform(-1.0, 1.0, size=(num_tasks, 2)).tolist()]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Goals evenly spaced on the unit circle."""
        angle = np.linspace(0.0, FULL_TURN, num_tasks, endpoint=False)
        return [{"goal": goal} for goal in unit_vectors(angle).tolist()]

    def _check_task(self, task: TaskArrays) -> None:
        require_within("goal", task["goal"], -1.0, 1.0)

    def _sample_start(self, num_lanes: int) -> FloatArray:
        return self.np_random.uniform(-1.0, 1.0, size=(num_lanes, 2))

    def _start_at(self, lanes: IndexArray, states: FloatArray) -> None:
        self._position[lanes] = states

    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        moved = slice(None) if lanes is None else lanes
        self._position[moved] += STEP_SIZE * actions[moved]
        distance = np.linalg.norm(self._position - self.task_value("goal"), axis=1)
        return -distance, np.zeros(self.num_envs, dtype=bool), self._info(distance)

    def _info(self, distance: FloatArray) -> Info:
        return {"reward_distance": -distance}

    def _observe(self) -> FloatArray:
        return self._position.copy()

    def task_caption(self, task: Task) -> str:
        x, y = task["goal"]
        return f"goal ({x:.2f}, {y:.2f})"

    def _draw_lane(self, lane: int) -> Frame:
        from envs.drawing import plane  # here, as most runs draw nothing

        return plane(self._position[lane], self.task_value("goal")[lane], self.rewarded_radius)


class SparsePointRobot(PointRobot):
    """Starts at the origin, goals on the upper unit half circle; a sparse reward is given beside the dense one.

    `info["sparse_reward"]` is 1 - distance within GOAL_RADIUS of the goal and 0 elsewhere.
    """

    has_sparse_reward = True
    rewarded_radius = GOAL_RADIUS

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """`num_tasks` goals evenly spaced on the half circle from 0 to pi, shuffled."""
        goals = np.array([task["goal"] for task in self.spaced_tasks(num_tasks)])
        rng.shuffle(goals)
        return [{"goal": goal} for goal in goals.tolist()]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Goals at angles from 0 to pi, both included."""
        return [{"goal": goal} for goal in unit_vectors(np.linspace(0.0, np.pi, num_tasks)).tolist()]

    def _sample_start(self, num_lanes: int) -> FloatArray:
        return np.zeros((num_lanes, 2))

    def _info(self, distance: FloatArray) -> Info:
        sparse_reward = np.where(distance <= GOAL_RADIUS, 1.0 - distance, 0.0)
        return {"sparse_reward": sparse_reward, **super()._info(distance)}
