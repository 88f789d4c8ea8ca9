"""Half-Cheetah: run at a target speed (cheetah-vel), or forward or backward (cheetah-dir)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv
from envs.types import BoolArray, FloatArray, Info, Rng, Task
from envs.views import Arrow, Disc, View, floor_arrow, side_view

MAX_TARGET_VELOCITY = 3.0  # m/s
CTRL_COST_WEIGHT = 0.05
QPOS_NOISE = 0.1
QVEL_NOISE = 0.1
TORSO = 1  # body id: the first below the world


class HalfCheetah(MujocoMetaEnv):
    """Planar two-legged robot; observes qpos without x, qvel and the torso's position (20 numbers)."""

    model_file = "half_cheetah.xml"
    frame_skip = 5
    physics_fields = ("xpos",)
    action_dim = 6
    observation_dim = 20

    @abstractmethod
    def _task_reward(self, velocity: FloatArray) -> FloatArray:
        """Reward (lanes,) for running at `velocity` (lanes,), m/s."""

    def _progress(self, velocity: FloatArray) -> FloatArray:
        """`velocity` (lanes,) counted along the task's direction, m/s."""
        return velocity

    def _before_step(self) -> None:
        self._x_before = self.physics.qpos[:, 0].copy()

    def _reward(self, ctrl: FloatArray) -> tuple[FloatArray, BoolArray, Info]:
        velocity = (self.physics.qpos[:, 0] - self._x_before) / self.dt
        reward_run = self._task_reward(velocity)
        reward_ctrl = -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl)
        info = {"reward_run": reward_run, "reward_ctrl": reward_ctrl, "velocity": self._progress(velocity)}
        return reward_run + reward_ctrl, np.zeros(self.num_envs, dtype=bool), info

    def _observe(self) -> FloatArray:
        torso = self.physics.field("xpos")[:, TORSO]
        return np.concatenate([self.physics.qpos[:, 1:], self.physics.qvel, torso], axis=1)

    def _view(self, lane: int) -> View:
        return side_view(float(self.physics.qpos[lane, 0]), height=0.5, distance=3.5)

    def _sample_start(self, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        return self._noisy_start(QPOS_NOISE, QVEL_NOISE, num_lanes)


class CheetahVel(HalfCheetah):
    """Run at the task's `velocity`, m/s: reward -|v - velocity| - 0.05 |a|^2."""

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Target velocities from U(0, 3) m/s."""
        return [{"velocity": float(v)} for v in rng.uniform(0.0, MAX_TARGET_VELOCITY, size=num_tasks)]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Target velocities evenly spaced from 0 to 3 m/s."""
        return [{"velocity": float(v)} for v in np.linspace(0.0, MAX_TARGET_VELOCITY, num_tasks)]

    def _check_task(self, task: Mapping[str, NDArray[Any]]) -> None:
        require_within("velocity", task["velocity"], 0.0, MAX_TARGET_VELOCITY, " m/s")

    def _task_reward(self, velocity: FloatArray) -> FloatArray:
        return -np.abs(velocity - self.task_value("velocity"))

    def task_caption(self, task: Task) -> str:
        return f"target speed {task['velocity']:.2f} m/s"


class CheetahDir(HalfCheetah):
    """Run in the task's `direction`, -1 or +1: reward direction * v - 0.05 |a|^2."""

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """The family has two tasks, -1 and +1, so nothing is drawn."""
        del rng
        return self.spaced_tasks(num_tasks)

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """The first `num_tasks` of the directions -1, +1."""
        if num_tasks > 2:
            raise ValueError(f"n_tasks must be at most 2 (the directions -1 and +1), got {num_tasks}")
        return [{"direction": direction} for direction in (-1.0, 1.0)[:num_tasks]]

    def _check_task(self, task: Mapping[str, NDArray[Any]]) -> None:
        if task["direction"] not in (-1.0, 1.0):
            raise ValueError(f"direction must be -1 or 1, got {task['direction']}")

    def _progress(self, velocity: FloatArray) -> FloatArray:
        return self.task_value("direction") * velocity

    def _task_reward(self, velocity: FloatArray) -> FloatArray:
        return self._progress(velocity)

    def task_caption(self, task: Task) -> str:
        return "run forward" if task["direction"] > 0 else "run backward"

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        angle = 0.0 if self.task_value("direction")[lane] > 0 else np.pi
        return [floor_arrow(np.array([self.physics.qpos[lane, 0], -0.5]), angle, gap=0.1)]
