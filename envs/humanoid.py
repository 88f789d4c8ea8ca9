"""Humanoid: run in a direction on the plane (humanoid-dir)."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.directions import DirectionFamily
from envs.rendering import View
from envs.types import FloatArray, Info

RUN_REWARD_WEIGHT = 0.25
CTRL_COST_WEIGHT = 0.1
CONTACT_COST_WEIGHT = 5e-7
MAX_CONTACT_COST = 10.0
SURVIVE_REWARD = 5.0
OBSERVED_FIELDS = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")


class HumanoidDir(DirectionFamily):
    """Run in the direction at `angle` (rad).

    Reward 0.25 d(centre of mass) / timestep along it - 0.1 |ctrl|^2 - contact cost + 5. As in the reference the
    distance of a whole step (5 substeps) is divided by one substep's time: the weight of the true speed is 1.25.
    """

    model_file = "humanoid.xml"
    frame_skip = 5
    start_noise = 0.01
    physics_fields = (*OBSERVED_FIELDS, "xipos")
    action_dim = 17
    observation_dim = 376
    upright_heights = (1.0, 2.0)
    arrow_gap = 0.5

    def __init__(self, num_envs: int = 1, *, symlog_observations: bool = False, **kwargs: Any) -> None:
        """As `MujocoMetaEnv`; `symlog_observations` observes sign(x) ln(1 + |x|) of each number x.

        It loses nothing, and spares the networks contact forces of hundreds beside angles below one. (Symlog: Hafner
        et al. 2023, "Mastering Diverse Domains through World Models", eq. 1.)
        """
        self.symlog_observations = symlog_observations
        super().__init__(num_envs, **kwargs)

    def _build(self, num_threads: int) -> None:
        super()._build(num_threads)
        self._mass_fraction = self.model.body_mass / self.model.body_mass.sum()

    def _position(self) -> FloatArray:
        """Of the body's centre of mass on the plane, (lanes, 2), m."""
        return self._mass_fraction @ self.physics.field("xipos")[:, :, :2]

    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        progress = self._along_task(travel)
        forces = self.physics.field("cfrc_ext").reshape(self.num_envs, -1)
        contact = np.vecdot(forces, forces)
        return {
            "reward_run": RUN_REWARD_WEIGHT * progress / self.model.opt.timestep,
            "reward_ctrl": -CTRL_COST_WEIGHT * np.vecdot(ctrl, ctrl),
            "reward_contact": -np.minimum(CONTACT_COST_WEIGHT * contact, MAX_CONTACT_COST),
            "reward_survive": np.full(self.num_envs, SURVIVE_REWARD),
            "velocity": progress / self.dt,
        }

    def _observe(self) -> FloatArray:
        fields = [self.physics.field(name).reshape(self.num_envs, -1) for name in OBSERVED_FIELDS]
        observed = np.concatenate([self.physics.qpos[:, 2:], self.physics.qvel, *fields], axis=1)
        return np.sign(observed) * np.log1p(np.abs(observed)) if self.symlog_observations else observed

    def _view(self, lane: int) -> View:
        return View((*self.physics.qpos[lane, :2], 0.9), distance=3.5, elevation=-25.0)
