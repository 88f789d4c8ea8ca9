"""MujocoMetaEnv: what the families on MuJoCo models share; a family adds model, reward and tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np

from envs.family import TaskFamily
from envs.physics import BatchedPhysics
from envs.rendering import Arrow, Disc, OffscreenScene, View
from envs.types import BoolArray, FloatArray, Frame, IndexArray, Info

ASSETS = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
FORCE_SENSOR = "torso_accelerometer"
HIDDEN_GROUP = 5  # a group of sites that MuJoCo does not draw


class MujocoMetaEnv(TaskFamily):
    """N MuJoCo simulations of one model.

    A family names its model file and `frame_skip`, and reads positions, velocities and derived fields of all
    lanes from `physics`. Derived fields are one substep behind qpos, as `mj_step` leaves them.

    A simulation that diverges truncates its episode, with `info["diverged"]`; it goes back to the state before that
    step, so that observation and reward stay finite.

    Attributes:
        timestep: seconds per substep; None keeps the model file's.
        start_noise: each number of a start state is the model's (qpos0, at rest) plus U(-start_noise, start_noise).
        normal_start_velocity: velocities start as start_noise * N(0, 1) instead.
        physics_fields: the derived `mjData` fields that the family reads.
        per_task_params: `mjModel` fields that each task has its own values of, under the same names.
        model: the nominal model.
        physics: the simulations.
        dt: seconds per environment step.
    """

    model_file: ClassVar[str]
    frame_skip: ClassVar[int]
    timestep: ClassVar[float | None] = None
    start_noise: ClassVar[float]
    normal_start_velocity: ClassVar[bool] = False
    physics_fields: ClassVar[Sequence[str]] = ()
    per_task_params: ClassVar[Sequence[str]] = ()

    def _build(self, num_threads: int) -> None:
        self.model = self.build_model()
        self.state_dim = self.model.nq + self.model.nv
        self.dt = self.model.opt.timestep * self.frame_skip
        self.physics = BatchedPhysics(
            self.model, self.num_envs, num_threads, self.physics_fields, self.per_task_params
        )
        low, high = self.model.actuator_ctrlrange.T
        self._ctrl_offset, self._ctrl_scale = (high + low) / 2, (high - low) / 2
        self._scene: OffscreenScene | None = None
        self.metadata = {**self.metadata, "render_fps": round(1 / self.dt)}

    @classmethod
    def build_model(cls) -> mujoco.MjModel:
        """The family's nominal model, from gymnasium's model files."""
        spec = mujoco.MjSpec.from_file(str(ASSETS / cls.model_file))
        if cls.timestep is not None:
            spec.option.timestep = cls.timestep
        if "cfrc_ext" in cls.physics_fields:
            # MuJoCo leaves cfrc_ext at zero unless a sensor of the model asks for forces.
            site = spec.body("torso").add_site(name=FORCE_SENSOR, group=HIDDEN_GROUP)
            spec.add_sensor(
                type=mujoco.mjtSensor.mjSENS_ACCELEROMETER, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site.name
            )
        return spec.compile()

    def _position(self) -> FloatArray:
        """What the reward follows through a step, (num_envs, ...), m: as a rule the first coordinate."""
        return self.physics.qpos[:, 0]

    @abstractmethod
    def _step_info(self, ctrl: FloatArray, travel: FloatArray) -> Info:
        """What `info` tells of a step with `ctrl` in which `_position` moved by `travel`, each (num_envs,).

        The reward is the sum of the entries named `reward_...`.
        """

    def _ended(self) -> BoolArray:
        """Which lanes are where an episode terminates, (num_envs,)."""
        return np.zeros(self.num_envs, dtype=bool)

    def _sample_start(self, num_lanes: int) -> FloatArray:
        noise, rng, nv = self.start_noise, self.np_random, self.model.nv
        qpos = self.model.qpos0 + rng.uniform(-noise, noise, (num_lanes, self.model.nq))
        if self.normal_start_velocity:
            qvel = noise * rng.standard_normal((num_lanes, nv))
        else:
            qvel = rng.uniform(-noise, noise, (num_lanes, nv))
        return np.concatenate([qpos, qvel], axis=1)

    def _start_at(self, lanes: IndexArray, states: FloatArray) -> None:
        self.physics.reset(lanes, states[:, : self.model.nq], states[:, self.model.nq :])

    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        position, qpos, qvel = self._position().copy(), self.physics.qpos.copy(), self.physics.qvel.copy()
        ctrl = self.scaled(actions)
        self.physics.ctrl[:] = ctrl
        self.physics.step(self.frame_skip, lanes)
        diverged = self.physics.diverged()
        if diverged.any():
            self.physics.reset(np.flatnonzero(diverged), qpos[diverged], qvel[diverged])
        info = self._step_info(ctrl, self._position() - position)
        reward = reduce(np.add, (term for name, term in info.items() if name.startswith("reward_")))
        return reward, self._ended(), {**info, "diverged": diverged}

    def scaled(self, actions: FloatArray) -> FloatArray:
        """Controls (num_envs, action_dim) of the model for `actions` within [-1, 1]."""
        return self._ctrl_offset + self._ctrl_scale * actions

    def _tasks_changed(self, lanes: IndexArray) -> None:
        super()._tasks_changed(lanes)
        for name in self.per_task_params:
            self.physics.param(name)[lanes] = self.task_value(name)[lanes]

    @abstractmethod
    def _view(self, lane: int) -> View:
        """Where the camera stands to see `lane`."""

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        """What shows the task of `lane` in the picture."""
        del lane
        return []

    def _draw_lane(self, lane: int) -> Frame:
        if self._scene is None:
            self._scene = OffscreenScene(self.model)
        return self._scene.frame(self.physics.qpos[lane], self._view(lane), self._markers(lane))

    def close_extras(self, **kwargs: Any) -> None:
        """Free what rendering holds; the thread pool goes with the object."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None
