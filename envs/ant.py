"""Ant: walk in a direction (ant-dir), or to a place on the plane (ant-goal)."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.directions import FULL_TURN, DirectionFamily, unit_vectors
from envs.family import require_within
from envs.mujoco_env import MujocoMetaEnv
from envs.rendering import Arrow, Disc, View
from envs.types import FloatArray, Info, Rng, Task, TaskArrays

GOAL_DISC_RADIUS = 3.0  # m
MAX_CONTACT_FORCE = 1.0  # contact forces are clipped to +- this, N and N m
CONTACT_COST_WEIGHT = 0.5e-3
DIR_CTRL_COST_WEIGHT = 0.5
GOAL_CTRL_COST_WEIGHT = 0.1
SURVIVE_REWARD = 1.0
GOAL_MARK_RADIUS = 0.25  # in pictures, m
TORSO = 1  # body id: the first below the world


class Ant(MujocoMetaEnv):
    """Quadruped with a free torso; what the two families share."""

    model_file = "ant.xml"
    frame_skip = 5
    start_noise = 0.1
    normal_start_velocity = True
    physics_fields = ("xpos", "cfrc_ext")
    action_dim = 8

    def _position(self) -> FloatArray:
        """Of the torso on the plane, (lanes, 2), m."""
        return self.physics.field("xpos")[:, TORSO, :2]

    def _contact_forces(self) -> FloatArray:
        """Clipped contact forces on the bodies, (lanes, bodies * 6)."""
        forces = self.physics.field("cfrc_ext").reshape(self.num_envs, -1)
        return np.clip(forces, -MAX_CONTACT_FORCE, MAX_CONTACT_FORCE)

    def _contact_cost(self) -> FloatArray:
        forces = self._contact_forces()
        return CONTACT_COST_WEIGHT * np.vecdot(forces, forces)


class AntDir(DirectionFamily, Ant):
    """Walk in the direction at `angle` (rad): reward speed along it - 0.5 |a|^2 - contact cost + 1."""

    observation_dim = 27
    upright_heights = (0.2, 1.0)
    arrow_gap = 1.0

    def __init__(self, num_envs: int = 1, *, forward_backward: bool = False, **kwargs: Any) -> None:
        """As `MujocoMetaEnv`; `forward_backward` takes the angles 0 and pi only (the paper's Ant-Fwd-Back)."""
        self.forward_backward = forward_backward
        super().__init__(num_envs, **kwargs)

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Angles from U(0, 2 pi); with `forward_backward` nothing is drawn."""
        return self.spaced_tasks(num_tasks) if self.forward_backward else super().sample_tasks(num_tasks, rng)

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Angles evenly spaced over the full turn; with `forward_backward` the first of 0 and pi."""
        if not self.forward_backward:
            return super().spaced_tasks(num_tasks)
        if num_tasks > 2:
            raise ValueError(f"n_tasks must be at most 2 with forward_backward (angles 0 and pi), got {num_tasks}")
        return [{"angle": angle} for angle in (0.0, float(np.pi))[:num_tasks]]

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        velocity = self._along_task(travel / self.dt)
        return {
            "reward_run": velocity,
            "reward_ctrl": -DIR_CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "reward_contact": -self._contact_cost(),
            "reward_survive": np.full(self.num_envs, SURVIVE_REWARD),
            "velocity": velocity.copy(),
        }

    def _observe(self) -> FloatArray:
        return np.concatenate([self.physics.qpos[:, 2:], self.physics.qvel], axis=1)

    def _view(self, lane: int) -> View:
        return View((*self.physics.qpos[lane, :2], 0.3), distance=5.5, elevation=-45.0)


class AntGoal(Ant):
    """Walk to `goal` (x, y), m: reward minus the L1 distance - 0.1 |a|^2 - contact cost."""

    observation_dim = 113

    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Goals uniform in the disc of radius 3 m; all angles are drawn before the radii."""
        angle = rng.uniform(0.0, FULL_TURN, size=num_tasks)
        radius = GOAL_DISC_RADIUS * np.sqrt(rng.uniform(0.0, 1.0, size=num_tasks))
        return [{"goal": goal} for goal in (radius[:, None] * unit_vectors(angle)).tolist()]

    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """Goals evenly spaced on the disc's edge."""
        angle = np.linspace(0.0, FULL_TURN, num_tasks, endpoint=False)
        return [{"goal": goal} for goal in (GOAL_DISC_RADIUS * unit_vectors(angle)).tolist()]

    def _check_task(self, task: TaskArrays) -> None:
        distance = float(np.linalg.norm(task["goal"]))
        require_within("the goal's distance from the origin", distance, 0.0, GOAL_DISC_RADIUS, " m")

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        return {
            "reward_goal": -np.abs(self._position() - self.task_value("goal")).sum(axis=1),
            "reward_ctrl": -GOAL_CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "reward_contact": -self._contact_cost(),
        }

    def _observe(self) -> FloatArray:
        return np.concatenate([self.physics.qpos, self.physics.qvel, self._contact_forces()], axis=1)

    def task_caption(self, task: Task) -> str:
        x, y = task["goal"]
        return f"goal ({x:.2f}, {y:.2f}) m"

    def _view(self, lane: int) -> View:
        robot, goal = self.physics.qpos[lane, :2], self.task_value("goal")[lane]
        # Looking at the middle between robot and goal, from far enough to see both.
        distance = 5.0 + float(np.linalg.norm(goal - robot))
        return View((*(robot + goal) / 2, 0.3), distance, elevation=-40.0)

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        return [Disc(np.array([*self.task_value("goal")[lane], 0.0]), GOAL_MARK_RADIUS)]
