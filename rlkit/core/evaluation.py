"""Evaluation: how well the agent adapts to a task from its own first paths (paper, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rlkit.config.settings import AlgoParams
from rlkit.data_management.context import ContextSampler
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.distributions import Belief
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.records import FloatArray, IndexArray, Paths, Start, join_paths


class Round(NamedTuple):
    """The paths of the same number in their runs."""

    number: int  # from 0
    runs: IndexArray  # (rows,) which runs had so many, in order; each has a row of `paths`
    paths: Paths


class Adaptation(NamedTuple):
    """What happened in some evaluation runs: each adapts to one task from scratch."""

    tasks: IndexArray  # (runs,)
    returns: FloatArray  # (runs, paths), in order; nan where a run had fewer
    z_mean: FloatArray  # (runs, latent), the posterior after the last path
    z_var: FloatArray  # (runs, latent)
    rounds: list[Round]

    @property
    def final_return(self) -> FloatArray:
        """Return of each run's last path, (runs,): the result of the evaluation."""
        return self.returns[np.arange(len(self._last)), self._last]

    @property
    def _last(self) -> IndexArray:
        """Number of each run's last path, (runs,)."""
        return np.isfinite(self.returns).sum(axis=1) - 1

    def terms_of_last_paths(self) -> dict[str, float]:
        """What the environment names beside the reward, for the last paths of all runs.

        Means per step, but for `success`: the share of the paths that had it at some step. What was told in some
        paths alone counts 0 in the others.
        """
        names = dict.fromkeys(name for _, _, paths in self.rounds for name in paths.terms)
        collected: dict[str, list[float]] = {name: [] for name in names}
        for number, runs, paths in self.rounds:
            nothing = np.zeros_like(paths.reward)
            for row in np.flatnonzero(self._last[runs] == number):
                for name, values in collected.items():
                    steps = paths.terms.get(name, nothing)[row, : paths.length[row]]
                    values.append(float(steps.max() if name == "success" else steps.mean()))
        return {name: float(np.mean(values)) for name, values in collected.items()}

    def return_of_path(self, number: int) -> float | None:
        """Mean return of the `number`-th path (from 0) over all runs; None where a run had fewer."""
        if number >= self.returns.shape[1] or np.isnan(self.returns[:, number]).any():
            return None
        return float(self.returns[:, number].mean())


Watch = Callable[[int, int, Belief], None]
"""Called as a path begins, with its run, its number in the run and the belief behind it, one row."""


class Evaluator:
    """Runs evaluations of many tasks side by side, with the deterministic policy."""

    def __init__(
        self,
        sampler: PathSampler,
        agent: PEARLAgent,
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
            watch: is told of each path before it is run.
        """
        self._sampler = sampler
        self._agent = agent
        self._generator = generator
        self._params = params
        self._exploration = None if deterministic else generator
        self._watch = watch

    def seed(self, env_seed: int, agent_seed: int) -> None:
        """Start the random streams afresh: an evaluation depends on these seeds and the weights alone."""
        self._sampler.seed(env_seed)
        self._generator.manual_seed(agent_seed)

    @property
    def num_diverged(self) -> int:
        """How many paths a diverging simulation has cut since `seed`."""
        return self._sampler.num_diverged

    def adapt(self, tasks: IndexArray) -> Adaptation:
        """Adapt to each of `tasks` from scratch, using nothing but the evaluation's own transitions.

        Paths are run until there are `num_steps_per_eval` transitions, or `num_trajs_per_eval` paths where that is
        set. z is drawn from the prior for the first `num_exp_traj_eval` of them, then from the posterior given all
        transitions of this run so far. Runs go on whatever the others are at.
        """
        params = self._params
        runs = _Runs(self._agent.prior(len(tasks)), params)

        def start(num_lanes: int) -> Start:
            begun = runs.begin(num_lanes)
            belief = runs.belief.rows(begun)
            if self._watch is not None:
                for row, run in enumerate(begun):
                    self._watch(int(run), int(runs.num_paths[run]), belief.rows(np.array([row])))
            return Start(begun, tasks[begun], belief.sample(self._generator))

        for ended, paths in self._sampler.run(start, self._exploration):
            runs.end(ended, paths)
            transitions = paths.context(use_next_obs=params.use_next_obs_in_context, sparse=params.sparse_rewards)
            runs.context.append(ended, self._agent.codes(transitions[paths.valid()]), paths.length)
            informed = ended[runs.num_paths[ended] >= params.num_exp_traj_eval]
            if informed.size:
                runs.belief = runs.belief.with_rows(informed, self._agent.fuse(*runs.context.of(informed)))
        mean, var = runs.belief.mean.cpu().numpy(), runs.belief.var.cpu().numpy()
        return Adaptation(tasks, runs.returns(), mean, var, runs.rounds())

    def posterior_returns(self, tasks: IndexArray, contexts: ContextSampler) -> FloatArray:
        """Return of each of `tasks` with z from the posterior of a drawn context, no adaptation, (tasks,).

        Each task runs as many paths as an evaluation has at full length, each with its own context and z.
        """
        num_paths = max(1, self._params.num_full_paths_per_eval)
        each = np.repeat(tasks, num_paths)
        z = self._agent.posterior(contexts.draw(each, self._generator)).sample(self._generator)
        returns = np.empty(len(each), dtype=np.float32)
        for rows, paths in self._sampler.sample(each, z, None):
            returns[rows] = paths.returns(self._params.sparse_rewards)
        return returns.reshape(len(tasks), num_paths).mean(axis=1)


class _Runs:
    """The runs of an evaluation: what each believes, has seen and done; all arrays (runs,)."""

    def __init__(self, prior: Belief, params: AlgoParams) -> None:
        num_runs = len(prior.mean)
        self.belief = prior
        self.context = _Context(num_runs)
        self.num_paths = np.zeros(num_runs, dtype=np.int64)  # that have ended
        self._steps = np.zeros(num_runs, dtype=np.int64)
        self._idle = np.ones(num_runs, dtype=bool)
        self._ended: dict[int, list[tuple[IndexArray, Paths]]] = {}  # runs and their paths, by number in the run
        self._params = params

    def begin(self, num_lanes: int) -> IndexArray:
        """Up to `num_lanes` runs whose next path begins now, first those that have had fewest."""
        ready = np.flatnonzero(self._idle & self._goes_on())
        chosen = np.sort(ready[np.argsort(self.num_paths[ready], kind="stable")[:num_lanes]])
        self._idle[chosen] = False
        return chosen

    def _goes_on(self) -> NDArray[np.bool_]:
        """Which runs are to have another path."""
        if self._params.num_trajs_per_eval is not None:
            return self.num_paths < self._params.num_trajs_per_eval
        return self._steps < self._params.num_steps_per_eval

    def end(self, runs: IndexArray, paths: Paths) -> None:
        """The paths of `runs` under way have ended."""
        number = self.num_paths[runs]
        for each in np.unique(number):
            rows = np.flatnonzero(number == each)
            self._ended.setdefault(int(each), []).append((runs[rows], paths.rows(rows)))
        self._steps[runs] += paths.length
        self.num_paths[runs] += 1
        self._idle[runs] = True

    def rounds(self) -> list[Round]:
        """The paths by their number, each with its runs in order."""
        rounds = []
        for number, pieces in sorted(self._ended.items()):
            runs = np.concatenate([some for some, _ in pieces])
            order = np.argsort(runs)
            rounds.append(Round(number, runs[order], join_paths([paths for _, paths in pieces]).rows(order)))
        return rounds

    def returns(self) -> FloatArray:
        """Returns by run and number, (runs, paths), nan where there was none."""
        returns = np.full((len(self.num_paths), len(self._ended)), np.nan, dtype=np.float32)
        for number, pieces in self._ended.items():
            for runs, paths in pieces:
                returns[runs, number] = paths.returns(self._params.sparse_rewards)
        return returns


class _Context:
    """What the transitions of each run so far give to its belief."""

    def __init__(self, num_runs: int) -> None:
        self._codes: FloatArray = np.zeros((num_runs, 0, 0), dtype=np.float32)
        self._length = np.zeros(num_runs, dtype=np.int64)

    def append(self, runs: IndexArray, codes: FloatArray, length: IndexArray) -> None:
        """Take note of `length` (runs,) more transitions of each of `runs`: their codes, (all steps, code_dim)."""
        num_runs, capacity, width = self._codes.shape
        needed = int((self._length[runs] + length).max())
        if needed > capacity:
            grown = np.zeros((num_runs, max(needed, 2 * capacity), codes.shape[1]), dtype=np.float32)
            grown[:, :capacity, :width] = self._codes
            self._codes = grown
        ends = np.cumsum(length)
        for run, start, end in zip(runs, ends - length, ends, strict=True):
            self._codes[run, self._length[run] : self._length[run] + end - start] = codes[start:end]
        self._length[runs] += length

    def of(self, runs: IndexArray) -> tuple[FloatArray, IndexArray]:
        """The codes of `runs`, (runs, context, code_dim), padded to the longest, and their lengths (runs,)."""
        length = self._length[runs]
        return self._codes[runs, : int(length.max())], length
