"""Evaluation: how well the agent adapts to a task from its own first trajectories (paper, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlkit.core.config import AlgoParams
from rlkit.core.protocols import Agent, Belief, DrawContext, Sampler
from rlkit.core.records import FloatArray, IndexArray, Paths

if TYPE_CHECKING:
    import torch


class Round(NamedTuple):
    """The trajectories that some lanes ran side by side."""

    number: int  # how many these lanes had run before
    lanes: IndexArray  # (rows,) whose rows of `paths` are whose
    paths: Paths


class Adaptation(NamedTuple):
    """What happened in one evaluation run per lane."""

    tasks: IndexArray  # (lanes,)
    returns: FloatArray  # (lanes, trajectories), in order; nan where a run had fewer
    z_mean: FloatArray  # (lanes, latent), the posterior after the last trajectory
    z_var: FloatArray  # (lanes, latent)
    rounds: list[Round]

    @property
    def final_return(self) -> FloatArray:
        """Return of each run's last trajectory, (lanes,): the result of the evaluation."""
        return self.returns[np.arange(len(self._last)), self._last]

    @property
    def _last(self) -> IndexArray:
        """Number of each lane's last trajectory, (lanes,)."""
        return np.isfinite(self.returns).sum(axis=1) - 1

    def terms_of_last_trajectories(self) -> dict[str, float]:
        """What the environment names beside the reward, for the last trajectories of all runs.

        Means per step, but for `success`: the share of the trajectories that had it at some step.
        """
        collected: dict[str, list[float]] = {}
        for number, lanes, paths in self.rounds:
            for row in np.flatnonzero(self._last[lanes] == number):
                for name, values in paths.terms.items():
                    steps = values[row, : paths.length[row]]
                    collected.setdefault(name, []).append(float(steps.max() if name == "success" else steps.mean()))
        return {name: float(np.mean(values)) for name, values in collected.items()}

    def return_of_trajectory(self, number: int) -> float | None:
        """Mean return of the `number`-th trajectory (from 0) over all runs; None where a run had fewer."""
        if number >= self.returns.shape[1] or np.isnan(self.returns[:, number]).any():
            return None
        return float(self.returns[:, number].mean())


Watch = Callable[[int, IndexArray, IndexArray, Belief], None]
"""Called with a round's number, all runs' tasks and beliefs, and the runs whose trajectories come, in lane order."""


class Evaluator:
    """Runs evaluations of many tasks in lock-step, with the deterministic policy."""

    def __init__(
        self,
        sampler: Sampler,
        agent: Agent,
        generator: torch.Generator,
        params: AlgoParams,
        *,
        deterministic: bool = True,
        watch: Watch | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            sampler: with an environment of its own.
            agent: infers beliefs and acts.
            generator: draws z, and the exploration noise of a policy that is not deterministic.
            params: how long, and with what context.
            deterministic: whether the policy's mean is taken.
            watch: is told of each round of trajectories before it is run.
        """
        self._sampler = sampler
        self._agent = agent
        self._generator = generator
        self._params = params
        self._noise = None if deterministic else generator
        self._watch = watch

    def seed(self, env_seed: int, agent_seed: int) -> None:
        """Start the random streams afresh: an evaluation depends on these seeds and the weights alone."""
        self._sampler.seed(env_seed)
        self._generator.manual_seed(agent_seed)

    def adapt(self, tasks: IndexArray) -> Adaptation:
        """Adapt to each of `tasks` from scratch, using nothing but the evaluation's own transitions.

        Trajectories are run until there are `num_steps_per_eval` transitions, or `num_trajs_per_eval` trajectories
        where that is set. z is drawn from the prior for the
        first `num_exp_traj_eval` of them, then from the posterior given all transitions of this run so far.
        """
        pieces = [
            self._adapt_lanes(tasks[start : start + self._sampler.num_lanes])
            for start in range(0, len(tasks), self._sampler.num_lanes)
        ]
        return pieces[0] if len(pieces) == 1 else _join(pieces)

    def _adapt_lanes(self, tasks: IndexArray) -> Adaptation:
        memory = _Context(len(tasks))
        returns: list[FloatArray] = []
        rounds: list[Round] = []
        belief = self._agent.prior(len(tasks))
        steps = np.zeros(len(tasks), dtype=np.int64)
        while (goes_on := self._goes_on(steps, len(rounds))).any():
            lanes = np.flatnonzero(goes_on)
            if self._watch is not None:
                self._watch(len(rounds), tasks, lanes, belief)
            z = belief.sample(self._generator)[lanes]
            (paths,) = self._sampler.sample(tasks[lanes], z, self._noise)
            steps[lanes] += paths.length
            memory.append(lanes, paths, self._params)
            returns.append(np.full(len(tasks), np.nan, dtype=np.float32))
            returns[-1][lanes] = paths.returns(self._params.sparse_rewards)
            rounds.append(Round(len(rounds), lanes, paths))
            if len(rounds) >= self._params.num_exp_traj_eval:
                belief = self._agent.posterior(memory.transitions, memory.length)
        mean, var = belief.mean.cpu().numpy(), belief.var.cpu().numpy()
        return Adaptation(tasks, np.stack(returns, axis=1), mean, var, rounds)

    def _goes_on(self, steps: IndexArray, num_paths: int) -> NDArray[np.bool_]:
        """Which runs, with `steps` (lanes,) transitions in `num_paths` rounds so far, have another trajectory."""
        if self._params.num_trajs_per_eval is not None:
            return np.full(len(steps), num_paths < self._params.num_trajs_per_eval)
        return steps < self._params.num_steps_per_eval

    def posterior_returns(self, tasks: IndexArray, draw_context: DrawContext) -> FloatArray:
        """Return of each of `tasks` with z from the posterior of a drawn context, no adaptation, (tasks,).

        Each task runs as many trajectories as an evaluation has at full length, each with its own context and z.
        """
        num_paths = max(1, self._params.num_full_paths_per_eval)
        lanes = np.repeat(tasks, num_paths)
        z = self._agent.posterior(draw_context(lanes, self._generator)).sample(self._generator)
        returns = [paths.returns(self._params.sparse_rewards) for paths in self._sampler.sample(lanes, z, None)]
        return np.concatenate(returns).reshape(len(tasks), num_paths).mean(axis=1)


class _Context:
    """The transitions of each lane so far, padded to the longest."""

    def __init__(self, num_lanes: int) -> None:
        self.transitions: FloatArray = np.zeros((num_lanes, 0, 0), dtype=np.float32)
        self.length = np.zeros(num_lanes, dtype=np.int64)

    def append(self, lanes: IndexArray, paths: Paths, params: AlgoParams) -> None:
        new = paths.context(use_next_obs=params.use_next_obs_in_context, sparse=params.sparse_rewards)
        needed = int((self.length[lanes] + paths.length).max())
        grown = np.zeros((len(self.length), max(needed, self.transitions.shape[1]), new.shape[2]), dtype=np.float32)
        grown[:, : self.transitions.shape[1], : self.transitions.shape[2]] = self.transitions
        for lane, transitions, length in zip(lanes, new, paths.length, strict=True):
            grown[lane, self.length[lane] : self.length[lane] + length] = transitions[:length]
        self.transitions = grown
        self.length[lanes] += paths.length


def _join(pieces: list[Adaptation]) -> Adaptation:
    """One record of several groups of lanes."""
    longest = max(piece.returns.shape[1] for piece in pieces)
    widths = [((0, 0), (0, longest - piece.returns.shape[1])) for piece in pieces]
    offsets = np.cumsum([0] + [len(piece.tasks) for piece in pieces[:-1]])
    return Adaptation(
        np.concatenate([piece.tasks for piece in pieces]),
        np.concatenate(
            [np.pad(p.returns, width, constant_values=np.nan) for p, width in zip(pieces, widths, strict=True)]
        ),
        np.concatenate([piece.z_mean for piece in pieces]),
        np.concatenate([piece.z_var for piece in pieces]),
        [
            round_._replace(lanes=round_.lanes + offset)
            for piece, offset in zip(pieces, offsets, strict=True)
            for round_ in piece.rounds
        ],
    )
