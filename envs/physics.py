"""Batched MuJoCo: the only module that knows which library steps the simulations (mjbatch)."""

from __future__ import annotations

from collections.abc import Sequence

import mjbatch
import mujoco
import numpy as np

from envs.cpus import usable_cpus
from envs.types import BoolArray, FloatArray, IndexArray

BAD_STATE = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)
"""MuJoCo's warnings of a bad position, velocity and acceleration, which follow one another."""


class BatchedPhysics:
    """N simulations of one model, stepped by one call into a C++ thread pool (the GIL is released).

    Each simulation's numbers depend on its own state and controls only, so results are the same for any
    number of threads.

    Attributes:
        qpos: (sims, nq) live view of the positions (m, rad).
        qvel: (sims, nv) live view of the velocities (m/s, rad/s).
        ctrl: (sims, nu) controls applied by the next `step`.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_sims: int,
        num_threads: int,
        fields: Sequence[str],
        per_sim_params: Sequence[str],
    ) -> None:
        """Allocate the simulations.

        Args:
            model: template; copied, so later edits of it change nothing here.
            num_threads: worker threads; 0 takes every CPU that the process may use.
            fields: names of `mjData` fields to read through `field` (they cost a copy per step).
            per_sim_params: names of `mjModel` fields that differ between simulations, written through `param`.
        """
        self._batch = mjbatch.Batch(model, num_sims, num_threads or usable_cpus())
        self._state = self._batch.bind("state")
        self.qpos: FloatArray = self._batch.bind("qpos")
        self.qvel: FloatArray = self._batch.bind("qvel")
        self.ctrl: FloatArray = self._batch.bind("ctrl")
        self._motion = self._state[:, 1 : 1 + model.nq + model.nv]  # a state is time, qpos, qvel and further parts
        self._warning = self._batch.bind("warning")
        self._bad_state = self._warning[:, BAD_STATE, 1]
        self._fields: dict[str, FloatArray] = {name: self._batch.bind(name) for name in fields}
        self._params: dict[str, FloatArray] = {name: self._batch.expand(name) for name in per_sim_params}
        self._batch.reset()
        self._initial_state = self._state[0].copy()

    def field(self, name: str) -> FloatArray:
        """Live (sims, ...) values of an `mjData` field named at construction, as the last call left them."""
        return self._fields[name]

    def param(self, name: str) -> FloatArray:
        """(sims, ...) values of an `mjModel` field named at construction; a write takes effect at the next call."""
        return self._params[name]

    def reset(self, sims: IndexArray, qpos: FloatArray, qvel: FloatArray) -> None:
        """Put `sims` into a fresh state at (qpos, qvel) and run `mj_forward`, as after `mj_resetData`.

        Writing the whole state row, not `Batch.reset`, which would keep the model's default wherever the new
        value happens to equal the old one.
        """
        self._state[sims] = self._initial_state
        self.qpos[sims] = qpos
        self.qvel[sims] = qvel
        self._warning[sims] = 0
        self._batch.forward(sims)

    def step(self, num_substeps: int, sims: IndexArray | None = None) -> None:
        """Advance `sims` (all if None) by `num_substeps` calls of `mj_step`; the others stay as they are."""
        self._batch.step(sims, nstep=num_substeps)

    def diverged(self) -> BoolArray:
        """Which simulations are not finite, or MuJoCo found so at a step since their reset, (sims,).

        MuJoCo looks at the state only before it steps and then starts that simulation anew by itself, so the
        outcome of the last substep is looked at here.
        """
        finite = np.isfinite(self._motion)
        if not np.count_nonzero(self._bad_state) and finite.all():
            return np.zeros(len(finite), dtype=bool)  # as a rule, and quicker
        return np.asarray(self._bad_state.any(axis=1) | ~finite.all(axis=1))
