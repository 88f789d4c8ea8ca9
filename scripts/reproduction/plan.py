"""From experiments to runs: which folder, which config, how far, and whether its results are here already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from reproduction.experiments import Arm, Experiment, owner
from reproduction.length import iterations_until
from rlkit.config.files import MAY_CHANGE_ON_RESUME, flat, load_config
from rlkit.config.settings import Config
from rlkit.launchers.runs import ROOT, Run
from rlkit.runs.folder import VARIANT_FILE

CONFIGS = ROOT / "configs"
PROGRESS_FILE, MACHINE_FILE = "progress.csv", "machine.json"  # of kept results, beside variant.json
SAME_RESULTS = (*MAY_CHANGE_ON_RESUME, "util_params.base_log_dir")
"""Settings in which runs of one experiment may differ."""


class Places(NamedTuple):
    """Where runs are, and where what is made of them goes."""

    output: Path
    results: Path
    page: Path


class Plan(NamedTuple):
    """A run of an experiment, and the folder that its results are kept in."""

    experiment: Experiment
    arm: Arm
    config: Config
    run: Run
    results: Path

    @property
    def has_run(self) -> bool:
        """Whether there is a run to go on with."""
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
        found, planned = (flat(config.model_dump()) for config in (load_config(folder / VARIANT_FILE), self.config))
        return [
            f"{key} is {json.dumps(found.get(key))}, planned {json.dumps(planned.get(key))}"
            for key in sorted(found.keys() | planned.keys())
            if found.get(key) != planned.get(key) and key not in SAME_RESULTS
        ]


def plan_run(experiment: Experiment, arm: Arm, seed: int, places: Places, settings: tuple[str, ...] = ()) -> Plan:
    """One run; an arm that shares another experiment's runs gives the other's plan.

    Args:
        experiment: the experiment.
        arm: one of its arms.
        seed: of the run.
        places: where everything is.
        settings: further KEY=VALUE texts to start with, as the number of threads.
    """
    experiment, arm = owner(experiment, arm)
    path = CONFIGS / f"{arm.config}.json"
    config = load_config(path, experiment.settings, {"seed": seed})
    num_iterations = config.algo_params.num_iterations
    if experiment.env_steps is not None:
        num_iterations = iterations_until(config, experiment.env_steps)
    name = ".".join(filter(None, ("reproduce", experiment.name, arm.label)))
    folder = places.output / config.env_name / f"{name}-s{seed}"
    output = f"util_params.base_log_dir={json.dumps(str(places.output))}"
    run = Run(path, seed, folder, num_iterations, (*experiment.settings, *settings, output))
    results = places.results / experiment.name / "-".join(filter(None, (arm.label, f"s{seed}")))
    return Plan(experiment, arm, config, run, results)


def seeds_beside(folder: Path) -> list[int]:
    """The seeds of which there is a folder, in order; `folder` is that of seed 0, there or not."""
    prefix = folder.name.removesuffix("0")
    found = (path.name.removeprefix(prefix) for path in folder.parent.glob(f"{prefix}*"))
    return sorted(int(seed) for seed in found if seed.isdigit())


def plans(
    experiments: Iterable[Experiment], seeds: int | None, places: Places, settings: tuple[str, ...] = ()
) -> Iterator[Plan]:
    """The runs of `experiments`, each once, seed by seed, so that arms can be compared before all is done.

    `seeds` takes the place of the experiments' own number.
    """
    seen = set()
    for experiment in experiments:
        for seed in range(seeds or experiment.seeds):
            for arm in experiment.arms:
                plan = plan_run(experiment, arm, seed, places, settings)
                if plan.run.folder not in seen:
                    seen.add(plan.run.folder)
                    yield plan
