"""Humanoid: run in a direction on the plane (humanoid-dir)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.directions import FULL_TURN, along
from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv, sum_terms
from envs.types import BoolArray, FloatArray, Info, Rng, Task
from envs.views import Arrow, Disc, View, floor_arrow

RUN_REWARD_WEIGHT = 0.25
CTRL_COST_WEIGHT = 0.1
CONTACT_COST_WEIGHT = 5e-7
MAX_CONTACT_COST = 10.0
SURVIVE_REWARD = 5.0
MIN_HEIGHT, MAX_HEIGHT = 1.0, 2.0  # of the torso while it is up, m
STATE_NOISE = 0.01


class HumanoidDir(MujocoMetaEnv):
    """Run in the direction at `angle` (rad).

    Reward 0.25 d(centre of mass) / timestep along it - 0.1 |ctrl|^2 - contact cost + 5. As in the reference the
    distance of a whole step (5 substeps) is divided by one substep's time: the weight of the true speed is 1.25.
    """

    model_file = "humanoid.xml"
    frame_skip = 5
    reads_contact_forces = True
    physics_fields = ("xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    action_dim = 17
    observation_dim = 376

    def _build(self, num_threads: int) -> None:
        super()._build(num_threads)
        self._mass_fraction = self.model.body_mass / self.model.body_mass.sum()

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Angles from U(0, 2 pi)."""
        return [{"angle": float(angle)} for angle in rng.uniform(0.0, FULL_TURN, size=num_tasks)]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Angles evenly spaced over the full turn."""
        return [{"angle": float(angle)} for angle in np.linspace(0.0, FULL_TURN, num_tasks, endpoint=False)]

    def _check_task(self, task: Mapping[str, NDArray[Any]]) -> None:
        require_within("angle", task["angle"], 0.0, FULL_TURN, " rad")

    def _centre_of_mass(self) -> FloatArray:
        """Of the whole body on the plane, (lanes, 2), m."""
        return self._mass_fraction @ self.physics.field("xipos")[:, :, :2]

    def _before_step(self) -> None:
        self._centre_before = self._centre_of_mass()

    def _reward(self, ctrl: FloatArray) -> tuple[FloatArray, BoolArray, Info]:
        progress = along(self.task_value("angle"), self._centre_of_mass() - self._centre_before)
        forces = self.physics.field("cfrc_ext").reshape(self.num_envs, -1)
        contact = np.vecdot(forces, forces)
        info = {
            "reward_run": RUN_REWARD_WEIGHT * progress / self.model.opt.timestep,
            "reward_ctrl": -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "reward_contact": -np.minimum(CONTACT_COST_WEIGHT * contact, MAX_CONTACT_COST),
            "reward_survive": np.full(self.num_envs, SURVIVE_REWARD),
        }
        height = self.physics.qpos[:, 2]
        fallen = (height < MIN_HEIGHT) | (height > MAX_HEIGHT)
        return sum_terms(info), fallen, {**info, "velocity": progress / self.dt}

    def _observe(self) -> FloatArray:
        fields = [self.physics.field(name) for name in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")]
        flat = [field.reshape(self.num_envs, -1) for field in fields]
        return np.concatenate([self.physics.qpos[:, 2:], self.physics.qvel, *flat], axis=1)

    def _sample_start(self, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        return self._uniform_start(STATE_NOISE, num_lanes)

    def task_caption(self, task: Task) -> str:
        return f"direction {np.degrees(task['angle']):.0f} degrees"

    def _view(self, lane: int) -> View:
        return View(np.array([*self.physics.qpos[lane, :2], 0.9]), distance=3.5, elevation=-25.0)

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        return [floor_arrow(self.physics.qpos[lane, :2], float(self.task_value("angle")[lane]), gap=0.5)]
