"""Walker and hopper with randomised bodies: each task has its own masses, inertias, damping and friction."""

from __future__ import annotations

import numpy as np

from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv
from envs.rendering import View
from envs.types import BoolArray, FloatArray, Info, Rng, Task, TaskArrays

SCALE_BASES = {"body_mass": 1.5, "body_inertia": 1.5, "dof_damping": 1.3, "geom_friction": 1.5}
"""Each entry of a parameter is the nominal one times base^U(-3, 3); drawn in this order."""
MAX_LOG_SCALE = 3.0
CTRL_COST_WEIGHT = 1e-3
SURVIVE_REWARD = 1.0
MAX_OBSERVED_VELOCITY = 10.0  # m/s, rad/s


class RandParams(MujocoMetaEnv):
    """Planar robot that runs forward: reward v - 0.001 |a|^2 + 1. The tasks differ in the dynamics.

    Parameters are written as they are; derived constants of the model stay nominal, as in the reference.
    """

    timestep = 0.004
    frame_skip = 4
    start_noise = 0.005
    per_task_params = tuple(SCALE_BASES)

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Every entry of the four parameters scaled on its own, from the nominal model."""
        return [
            {name: self._scaled(name, base, rng).tolist() for name, base in SCALE_BASES.items()}
            for _ in range(num_tasks)
        ]

    def _scaled(self, name: str, base: float, rng: Rng) -> FloatArray:
        nominal: FloatArray = getattr(self.model, name)
        return nominal * np.power(base, rng.uniform(-MAX_LOG_SCALE, MAX_LOG_SCALE, size=nominal.shape))

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """There is no such set: the distribution has dozens of dimensions."""
        raise ValueError("this family has no evenly spaced tasks: leave randomize_tasks at true")

    def _check_task(self, task: TaskArrays) -> None:
        for name, base in SCALE_BASES.items():
            nominal, largest = getattr(self.model, name), base**MAX_LOG_SCALE
            for at in np.ndindex(nominal.shape):
                value, middle = float(task[name][at]), float(nominal[at])
                require_within(f"{name}{list(at)}", value, middle / largest, middle * largest)

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        velocity = travel / self.dt
        return {
            "reward_run": velocity,
            "reward_ctrl": -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "reward_survive": np.full(self.num_envs, SURVIVE_REWARD),
            "velocity": velocity.copy(),
        }

    def _observe(self) -> FloatArray:
        velocities = np.clip(self.physics.qvel, -MAX_OBSERVED_VELOCITY, MAX_OBSERVED_VELOCITY)
        return np.concatenate([self.physics.qpos[:, 1:], velocities], axis=1)

    def task_caption(self, task: Task) -> str:
        mass, nominal = sum(task["body_mass"]), float(self.model.body_mass.sum())
        return f"mass {mass:.1f} kg (nominal {nominal:.1f} kg)"

    def _view(self, lane: int) -> View:
        return View((self.physics.qpos[lane, 0], 0.0, 0.9), distance=4.0)


class WalkerRandParams(RandParams):
    """Two-legged walker."""

    model_file = "walker2d.xml"
    action_dim = 6
    observation_dim = 17

    def _ended(self) -> BoolArray:
        height, angle = self.physics.qpos[:, 1], self.physics.qpos[:, 2]
        return ~((height > 0.8) & (height < 2.0) & (np.abs(angle) < 1.0))


class HopperRandParams(RandParams):
    """One-legged hopper."""

    model_file = "hopper.xml"
    action_dim = 3
    observation_dim = 11

    def _ended(self) -> BoolArray:
        qpos = self.physics.qpos
        bounded = (np.abs(qpos[:, 2:]) < 100).all(axis=1) & (np.abs(self.physics.qvel) < 100).all(axis=1)
        return ~(bounded & (qpos[:, 1] > 0.7) & (np.abs(qpos[:, 2]) < 0.2))
