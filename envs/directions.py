"""Directions on the plane, and what the families have in common whose task is one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv
from envs.rendering import Arrow, Disc, floor_arrow
from envs.types import BoolArray, FloatArray, Rng, Task, TaskArrays

FULL_TURN = 2 * np.pi  # rad


def unit_vectors(angle: FloatArray) -> FloatArray:
    """(lanes, 2) unit vectors at `angle` (lanes,), rad."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


class DirectionFamily(MujocoMetaEnv):
    """Go in the direction at the task's `angle` (rad); an episode ends when the torso is too low or too high.

    Attributes:
        upright_heights: of the torso (free: qpos starts with x, y, z) while it is up, lowest and highest, m.
        arrow_gap: from the robot to the arrow that shows the direction, m.
    """

    upright_heights: ClassVar[tuple[float, float]]
    arrow_gap: ClassVar[float]

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Angles from U(0, 2 pi)."""
        return [{"angle": float(angle)} for angle in rng.uniform(0.0, FULL_TURN, size=num_tasks)]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Angles evenly spaced over the full turn."""
        return [{"angle": float(angle)} for angle in np.linspace(0.0, FULL_TURN, num_tasks, endpoint=False)]

    def _check_task(self, task: TaskArrays) -> None:
        require_within("angle", task["angle"], 0.0, FULL_TURN, " rad")

    def _along_task(self, vectors: FloatArray) -> FloatArray:
        """Component (lanes,) of `vectors` (lanes, 2) in the task's direction."""
        angle = self.task_value("angle")
        return np.cos(angle) * vectors[:, 0] + np.sin(angle) * vectors[:, 1]

    def _ended(self) -> BoolArray:
        height, (lowest, highest) = self.physics.qpos[:, 2], self.upright_heights
        return (height < lowest) | (height > highest)

    def task_caption(self, task: Task) -> str:
        return f"direction {np.degrees(task['angle']):.0f} degrees"

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        return [floor_arrow(self.physics.qpos[lane, :2], float(self.task_value("angle")[lane]), self.arrow_gap)]
