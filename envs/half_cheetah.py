"""Half-Cheetah: run at a target speed (cheetah-vel), or forward or backward (cheetah-dir)."""

from __future__ import annotations

import numpy as np

from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv
from envs.rendering import Arrow, Disc, View, floor_arrow
from envs.types import FloatArray, Info, Rng, Task, TaskArrays

MAX_TARGET_VELOCITY = 3.0  # m/s
CTRL_COST_WEIGHT = 0.05
TORSO = 1  # body id: the first below the world


class HalfCheetah(MujocoMetaEnv):
    """Planar two-legged robot; observes qpos without x, qvel and the torso's position (20 numbers)."""

    model_file = "half_cheetah.xml"
    frame_skip = 5
    start_noise = 0.1
    normal_start_velocity = True
    physics_fields = ("xpos",)
    action_dim = 6
    observation_dim = 20

    def _observe(self) -> FloatArray:
        torso = self.physics.field("xpos")[:, TORSO]
        return np.concatenate([self.physics.qpos[:, 1:], self.physics.qvel, torso], axis=1)

    def _view(self, lane: int) -> View:
        return View((self.physics.qpos[lane, 0], 0.0, 0.5), distance=3.5)


class CheetahVel(HalfCheetah):
    """Run at the task's `velocity`, m/s: reward -|v - velocity| - 0.05 |a|^2."""

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Target velocities from U(0, 3) m/s."""
        return [{"velocity": float(v)} for v in rng.uniform(0.0, MAX_TARGET_VELOCITY, size=num_tasks)]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Target velocities evenly spaced from 0 to 3 m/s."""
        return [{"velocity": float(v)} for v in np.linspace(0.0, MAX_TARGET_VELOCITY, num_tasks)]

    def _check_task(self, task: TaskArrays) -> None:
        require_within("velocity", task["velocity"], 0.0, MAX_TARGET_VELOCITY, " m/s")

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        velocity = travel / self.dt
        return {
            "reward_run": -np.abs(velocity - self.task_value("velocity")),
            "reward_ctrl": -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "velocity": velocity,
        }

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

    def _check_task(self, task: TaskArrays) -> None:
        if task["direction"] not in (-1.0, 1.0):
            raise ValueError(f"direction must be -1 or 1, got {task['direction']}")

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        velocity = self.task_value("direction") * (travel / self.dt)
        return {
            "reward_run": velocity,
            "reward_ctrl": -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "velocity": velocity.copy(),
        }

    def task_caption(self, task: Task) -> str:
        return "run forward" if task["direction"] > 0 else "run backward"

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        angle = 0.0 if self.task_value("direction")[lane] > 0 else np.pi
        return [floor_arrow(np.array([self.physics.qpos[lane, 0], -0.5]), angle, gap=0.1)]
