"""From experiments to runs: which folder, which config, how far and how long, and whether its results are here.

Nothing is started here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from rlkit.config.files import MAY_CHANGE_ON_RESUME, differences, load_config
from rlkit.config.settings import Config
from rlkit.launchers.runs import Run
from rlkit.reproduction.experiments import Arm, Experiment, load_experiments
from rlkit.runs.folder import VARIANT_FILE
from rlkit.util.errors import UserError

EXPERIMENTS_FILE = "experiments.json"
MACHINE_FILE = "machine.json"  # of kept results, beside progress.csv and variant.json
MAY_DIFFER = (*MAY_CHANGE_ON_RESUME, "algo_params.num_itrs_per_eval")  # between runs of one experiment
CHANGES_RESULTS = "util_params.precision"  # alone among the settings of how a run is carried out
STEP_SECONDS, STEP_ROWS, STEP_WIDTH = 0.083, 16 * 256, 300  # a gradient step on two CPU cores: docs/performance.md
LEAST_STEP_SECONDS = 0.006  # of the smallest one


class Plan(NamedTuple):
    """A run of an experiment, and the folder that its results are kept in."""

    experiment: Experiment
    arm: Arm
    config: Config
    run: Run
    results: Path

    @property
    def has_run(self) -> bool:
        return (self.run.folder / VARIANT_FILE).exists()

    def has_results(self) -> bool:
        """Whether results of this config are kept.

        Raises:
            UserError: their variant.json cannot be read.
        """
        return (self.results / VARIANT_FILE).exists() and not self.differences(self.results)

    def differences(self, folder: Path) -> list[str]:
        """In what the run in `folder` is another one than planned, a text for each setting.

        Raises:
            UserError: its variant.json cannot be read.
        """
        found = load_config(folder / VARIANT_FILE)
        return [
            f"{key} is {json.dumps(is_now)}, planned {json.dumps(planned)}"
            for key, is_now, planned in differences(found.model_dump(), self.config.model_dump())
            if _matters(key)
        ]

    @property
    def env_steps(self) -> int:
        """How many it will have collected."""
        return env_steps_after(self.config, self.run.num_iterations)

    @property
    def hours_on_cpu(self) -> float:
        """About how long its gradient steps take on two CPU cores in float32."""
        algo = self.config.algo_params
        size = algo.meta_batch * algo.batch_size / STEP_ROWS * (self.config.net_size / STEP_WIDTH) ** 2
        step = max(LEAST_STEP_SECONDS, STEP_SECONDS * size)
        return self.run.num_iterations * algo.num_train_steps_per_itr * step / 3600


def _matters(key: str) -> bool:
    """Whether runs of one experiment must have the same value of a setting."""
    return key == CHANGES_RESULTS or not (key in MAY_DIFFER or key.startswith("util_params."))


@dataclass(frozen=True)
class Reproduction:
    """The experiments, where their runs are, and where what is made of them goes.

    Attributes:
        output: the runs' folder.
        results: what is kept of them, with experiments.json and notes.md.
        page: the file that shows it.
    """

    output: Path
    results: Path
    page: Path

    @cached_property
    def experiments(self) -> tuple[Experiment, ...]:
        """All that results/experiments.json names.

        Raises:
            UserError: it cannot be read.
        """
        return load_experiments(self.results / EXPERIMENTS_FILE)

    def find(self, name: str) -> Experiment:
        """The experiment called `name`.

        Raises:
            UserError: there is none.
        """
        known = {experiment.name: experiment for experiment in self.experiments}
        if name not in known:
            raise UserError(f"unknown experiment '{name}'; choose one of {', '.join(known)}")
        return known[name]

    def plan(self, experiment: Experiment, arm: Arm, seed: int, settings: tuple[str, ...] = ()) -> Plan:
        """One run, with further KEY=VALUE texts to start with, as the number of threads.

        An arm that shares another experiment's runs gives the other's plan.
        """
        if arm.runs_of:
            experiment = self.find(arm.runs_of)
            arm = experiment.arms[0]
        config = arm.load(experiment.settings, seed)
        num_iterations = config.algo_params.num_iterations
        if experiment.env_steps is not None:
            num_iterations = iterations_until(config, experiment.env_steps)
        name = ".".join(filter(None, ("reproduce", experiment.name, arm.label)))
        folder = self.output / config.env_name / f"{name}-s{seed}"
        output = f"util_params.base_log_dir={json.dumps(str(self.output))}"
        run = Run(arm.path, seed, folder, num_iterations, (*experiment.settings, *settings, output))
        results = self.results / experiment.name / "-".join(filter(None, (arm.label, f"s{seed}")))
        return Plan(experiment, arm, config, run, results)

    def plans(
        self, experiments: Iterable[Experiment], seeds: int | None, settings: tuple[str, ...] = ()
    ) -> Iterator[Plan]:
        """The runs of `experiments`, each once, seed by seed, so that arms can be compared before all is done.

        `seeds` takes the place of the experiments' own number.
        """
        seen = set()
        for experiment in experiments:
            for seed in range(seeds or experiment.seeds):
                for arm in experiment.arms:
                    plan = self.plan(experiment, arm, seed, settings)
                    if plan.run.folder not in seen:
                        seen.add(plan.run.folder)
                        yield plan

    def plan_of(self, folder: Path, experiments: Iterable[Experiment]) -> Plan:
        """What a run that lies anywhere is a run of, by its config, seed and length.

        Raises:
            UserError: its config cannot be read, or is none of the experiments'.
        """
        seed = load_config(folder / VARIANT_FILE).seed or 0
        planned = (self.plan(experiment, arm, seed) for experiment in experiments for arm in experiment.arms)
        found = [(plan.differences(folder), plan._replace(run=plan.run._replace(folder=folder))) for plan in planned]
        fewest, nearest = min(found, key=lambda entry: len(entry[0]))
        if fewest:
            name = f"{nearest.experiment.name} {nearest.arm.label}".strip()
            raise UserError(f"{folder} is a run of no experiment; of {name} it differs: {'; '.join(fewest)}")
        finished = [plan for unlike, plan in found if not unlike and plan.run.is_finished]
        if not finished:
            run = nearest.run
            raise UserError(f"{folder} is not finished: {run.iterations} of {run.num_iterations} iterations")
        return max(finished, key=lambda plan: plan.run.num_iterations)


def seeds_beside(folder: Path) -> list[int]:
    """The seeds of which there is a folder, in order; `folder` is that of seed 0, there or not."""
    prefix = folder.name.removesuffix("0")
    found = (path.name.removeprefix(prefix) for path in folder.parent.glob(f"{prefix}*"))
    return sorted(int(seed) for seed in found if seed.isdigit())


def initial_steps(config: Config) -> int:
    """Steps collected before the first iteration."""
    return config.n_train_tasks * _whole_episodes(config, config.algo_params.num_initial_steps)


def steps_per_iteration(config: Config) -> int:
    """Steps collected in an iteration; episodes that end early make it a few more."""
    algo = config.algo_params
    phases = (algo.num_steps_prior, algo.num_steps_posterior, algo.num_extra_rl_steps_posterior)
    return algo.num_tasks_sample * sum(_whole_episodes(config, steps) for steps in phases)


def env_steps_after(config: Config, num_iterations: int) -> int:
    """Steps collected in so many iterations, the first ones included."""
    return initial_steps(config) + num_iterations * steps_per_iteration(config)


def iterations_until(config: Config, env_steps: int) -> int:
    return max(1, -(-(env_steps - initial_steps(config)) // steps_per_iteration(config)))


def _whole_episodes(config: Config, steps: int) -> int:
    length = config.algo_params.max_path_length
    return -(-steps // length) * length
