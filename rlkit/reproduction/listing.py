"""What reproduce.py --list shows: how far the runs of each experiment are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlkit.reproduction import results as formats
from rlkit.reproduction.experiments import Arm, Experiment
from rlkit.reproduction.plan import Folders, Plan, plan_run
from rlkit.reproduction.results import read_result

LIST_HEAD = ("experiment", "config, in configs/", "env steps", "iterations", "target", "on", "seeds")


def list_rows(experiments: Iterable[Experiment], seeds: int | None, folders: Folders) -> Iterator[tuple[str, ...]]:
    """What reproduce.py --list shows, a row per arm below LIST_HEAD.

    Raises:
        UserError: a file of a run or of its results is damaged.
    """
    for experiment in experiments:
        for arm in experiment.arms:
            yield _list_row(experiment, arm, seeds or experiment.seeds, folders)


def _list_row(experiment: Experiment, arm: Arm, seeds: int, folders: Folders) -> tuple[str, ...]:
    plans = [plan_run(experiment, arm, seed, folders) for seed in range(seeds)]
    seeds_by_state: dict[str, list[str]] = {}
    for plan in plans:
        seeds_by_state.setdefault(run_state(plan), []).append(str(plan.run.seed))
    states = "; ".join(f"{state}: {', '.join(numbers)}" for state, numbers in seeds_by_state.items())
    return (
        f"{experiment.name} {arm.label}".strip(),
        arm.config,
        formats.steps(plans[0].env_steps),
        str(plans[0].run.num_iterations),
        "" if experiment.target is None else f"{experiment.target:g}",
        experiment.device,
        states + (f" (runs of {arm.runs_of})" if arm.runs_of else ""),
    )


def run_state(plan: Plan) -> str:
    """How far a run is: collected, finished, running, interrupted, ... or missing.

    Raises:
        UserError: a file of the run or of its results is damaged.
    """
    run = plan.run
    if read_result(plan) is not None:
        return "collected"
    if not plan.has_run:
        return "missing"
    if plan.differences(run.folder):
        return "of another config"
    if run.is_finished:
        return "finished"
    state = "running" if run.is_running else "stopped" if run.state == "running" else run.state
    return f"{state} at {run.iterations}"
