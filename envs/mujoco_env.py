"""MujocoMetaEnv: what the families on MuJoCo models share; a family adds model, reward and tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import mujoco
import numpy as np

from envs.family import TaskFamily
from envs.physics import BatchedPhysics
from envs.types import BoolArray, FloatArray, Frame, IndexArray, Info
from envs.views import Arrow, Disc, View

if TYPE_CHECKING:
    from envs.rendering import OffscreenScene

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
        reads_contact_forces: whether the family reads `cfrc_ext`.
        per_task_params: `mjModel` fields that each task has its own values of, under the same names.
        model: the nominal model.
        physics: the simulations.
        dt: seconds per environment step.
    """

    model_file: ClassVar[str]
    frame_skip: ClassVar[int]
    timestep: ClassVar[float | None] = None
    reads_contact_forces: ClassVar[bool] = False
    physics_fields: ClassVar[Sequence[str]] = ()
    per_task_params: ClassVar[Sequence[str]] = ()

    def _build(self, num_threads: int) -> None:
        self.model = self.build_model()
        self.dt = self.model.opt.timestep * self.frame_skip
        self.physics = BatchedPhysics(
            self.model,
            self.num_envs,
            num_threads=num_threads,
            fields=self.physics_fields,
            per_sim_params=self.per_task_params,
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
        if cls.reads_contact_forces:
            # MuJoCo leaves cfrc_ext at zero unless a sensor of the model asks for forces.
            site = spec.body("torso").add_site(name=FORCE_SENSOR, group=HIDDEN_GROUP)
            spec.add_sensor(
                type=mujoco.mjtSensor.mjSENS_ACCELEROMETER, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site.name
            )
        return spec.compile()

    @abstractmethod
    def _sample_start(self, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        """Draw (qpos, qvel) of new episodes, (num_lanes, nq) and (num_lanes, nv)."""

    @abstractmethod
    def _reward(self, ctrl: FloatArray) -> tuple[FloatArray, BoolArray, Info]:
        """Reward, termination and named reward terms after a step with `ctrl`, each (num_envs,)."""

    def _before_step(self) -> None:
        """Keep what `_reward` needs of the state before the step."""

    def _reset_lanes(self, lanes: IndexArray, start_states: FloatArray | None) -> None:
        if start_states is None:
            qpos, qvel = self._sample_start(len(lanes))
        else:
            size = self.model.nq + self.model.nv
            if start_states.shape != (len(lanes), size):
                raise ValueError(f"start_states must have shape {(len(lanes), size)}, got {start_states.shape}")
            if not np.isfinite(start_states).all():
                raise ValueError("start_states must be finite")
            qpos, qvel = start_states[:, : self.model.nq], start_states[:, self.model.nq :]
        self.physics.reset(lanes, qpos, qvel)

    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        self._before_step()
        qpos, qvel = self.physics.qpos.copy(), self.physics.qvel.copy()
        ctrl = self.scaled(actions)
        self.physics.ctrl[:] = ctrl
        self.physics.step(self.frame_skip, lanes)
        diverged = self.physics.diverged()
        if diverged.any():
            self.physics.reset(np.flatnonzero(diverged), qpos[diverged], qvel[diverged])
        reward, terminated, info = self._reward(ctrl)
        return reward, terminated, {**info, "diverged": diverged}

    def scaled(self, actions: FloatArray) -> FloatArray:
        """Controls (num_envs, action_dim) of the model for `actions` within [-1, 1]."""
        return self._ctrl_offset + self._ctrl_scale * actions

    def _tasks_changed(self, lanes: IndexArray) -> None:
        super()._tasks_changed(lanes)
        for name in self.per_task_params:
            self.physics.param(name)[lanes] = self.task_value(name)[lanes]

    def _noisy_start(self, qpos_noise: float, qvel_noise: float, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        """qpos0 + U(-qpos_noise, qpos_noise) and qvel_noise * N(0, 1)."""
        qpos = self.model.qpos0 + self.np_random.uniform(-qpos_noise, qpos_noise, (num_lanes, self.model.nq))
        qvel = qvel_noise * self.np_random.standard_normal((num_lanes, self.model.nv))
        return qpos, qvel

    def _uniform_start(self, noise: float, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        """qpos0 + U(-noise, noise) and U(-noise, noise)."""
        qpos = self.model.qpos0 + self.np_random.uniform(-noise, noise, (num_lanes, self.model.nq))
        return qpos, self.np_random.uniform(-noise, noise, (num_lanes, self.model.nv))

    @abstractmethod
    def _view(self, lane: int) -> View:
        """Where the camera stands to see `lane`."""

    def _markers(self, lane: int) -> list[Arrow | Disc]:
        """What shows the task of `lane` in the picture."""
        del lane
        return []

    def _draw_lane(self, lane: int) -> Frame:
        from envs.rendering import OffscreenScene  # here, as it needs OpenGL and most runs draw nothing

        if self._scene is None:
            self._scene = OffscreenScene(self.model)
        return self._scene.frame(self.physics.qpos[lane], self._view(lane), self._markers(lane))

    def close_extras(self, **kwargs: Any) -> None:
        """Free what rendering holds; the thread pool goes with the object."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None


def sum_terms(info: Mapping[str, FloatArray]) -> FloatArray:
    """The reward (lanes,): the sum of its named terms, each (lanes,)."""
    first, *others = info.values()
    total = first.copy()
    for term in others:
        total += term
    return total
