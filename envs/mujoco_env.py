"""MujocoMetaEnv: what the families on MuJoCo models share; a family adds model, reward and tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import mujoco

from envs.base import BoolArray, FloatArray, IndexArray, Info, MetaEnv
from envs.physics import BatchedPhysics

ASSETS = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"


class MujocoMetaEnv(MetaEnv):
    """N MuJoCo simulations of one model.

    A family names its model file and `frame_skip`, and reads positions, velocities and derived fields of all
    lanes from `physics`. Derived fields are one substep behind qpos, as `mj_step` leaves them.

    Attributes:
        model: the nominal model.
        physics: the simulations.
        dt: seconds per environment step.
    """

    model_file: ClassVar[str]
    frame_skip: ClassVar[int]
    physics_fields: ClassVar[Sequence[str]] = ()
    per_task_params: ClassVar[Sequence[str]] = ()

    def __init__(self, num_envs: int = 1, *, num_threads: int = 0, **kwargs: Any) -> None:
        """As `MetaEnv`; `num_threads` worker threads for the physics (0: every logical CPU)."""
        self.model = self.build_model()
        self.dt = self.model.opt.timestep * self.frame_skip
        self.physics = BatchedPhysics(
            self.model,
            num_envs,
            num_threads=num_threads,
            fields=self.physics_fields,
            per_sim_params=self.per_task_params,
        )
        low, high = self.model.actuator_ctrlrange.T
        self._ctrl_offset, self._ctrl_scale = (high + low) / 2, (high - low) / 2
        super().__init__(num_envs, **kwargs)

    @classmethod
    def build_model(cls) -> mujoco.MjModel:
        """The family's nominal model, from gymnasium's model files."""
        return mujoco.MjModel.from_xml_path(str(ASSETS / cls.model_file))

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
            qpos, qvel = start_states[:, : self.model.nq], start_states[:, self.model.nq :]
        self.physics.reset(lanes, qpos, qvel)

    def _advance(self, actions: FloatArray, lanes: IndexArray | None) -> tuple[FloatArray, BoolArray, Info]:
        self._before_step()
        ctrl = self._ctrl_offset + self._ctrl_scale * actions
        self.physics.ctrl[:] = ctrl
        self.physics.step(self.frame_skip, lanes)
        return self._reward(ctrl)

    def _noisy_start(self, qpos_noise: float, qvel_noise: float, num_lanes: int) -> tuple[FloatArray, FloatArray]:
        """qpos0 + U(-qpos_noise, qpos_noise) and qvel_noise * N(0, 1)."""
        qpos = self.model.qpos0 + self.np_random.uniform(-qpos_noise, qpos_noise, (num_lanes, self.model.nq))
        qvel = qvel_noise * self.np_random.standard_normal((num_lanes, self.model.nv))
        return qpos, qvel

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing to close: the thread pool goes with the object."""
