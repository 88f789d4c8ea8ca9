"""Tape: what a phase asks of the physics, to be asked again with nothing in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from envs.mujoco_env import MujocoMetaEnv
from envs.physics import FloatArray, IndexArray


class Tape:
    """The resets and steps of some episodes, with their states, controls and lanes.

    Playing it simulates the very same episodes, which is what bare physics has to be measured at: a lying ant costs
    more than a walking one, and lanes that have ended cost nothing.
    """

    def __init__(self, env: MujocoMetaEnv, phase: Callable[[], object]) -> None:
        """Run `phase`, which acts in `env`, and note what it asks of the physics."""
        self._env, self._physics = env, env.physics
        self._step, self._reset = self._physics.step, self._physics.reset
        self._calls: list[Callable[[], None]] = []
        with patch.multiple(self._physics, step=self._noted_step, reset=self._noted_reset):
            phase()

    def play(self) -> None:
        for call in self._calls:
            call()

    def _noted_step(self, num_substeps: int, sims: IndexArray | None = None) -> None:
        ctrl = self._physics.ctrl.copy()
        self._calls.append(partial(self._step_again, ctrl, num_substeps, None if sims is None else sims.copy()))
        self._step(num_substeps, sims)

    def _step_again(self, ctrl: FloatArray, num_substeps: int, sims: IndexArray | None) -> None:
        self._physics.ctrl[:] = ctrl
        self._step(num_substeps, sims)

    def _noted_reset(self, sims: IndexArray, qpos: FloatArray, qvel: FloatArray) -> None:
        params = {name: self._physics.param(name)[sims] for name in self._env.per_task_params}
        self._calls.append(partial(self._reset_again, params, sims.copy(), qpos.copy(), qvel.copy()))
        self._reset(sims, qpos, qvel)

    def _reset_again(
        self, params: dict[str, NDArray[np.float64]], sims: IndexArray, qpos: FloatArray, qvel: FloatArray
    ) -> None:
        for name, values in params.items():
            self._physics.param(name)[sims] = values
        self._reset(sims, qpos, qvel)
