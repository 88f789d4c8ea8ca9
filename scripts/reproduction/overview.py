"""What reproduce.py --list shows: the experiments, and how far each run is."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Column, Table

from reproduction import formats
from reproduction.experiments import Arm, Experiment
from reproduction.length import env_steps_after
from reproduction.plan import Places, Plan, plan_run
from reproduction.results import read_result


def overview(experiments: Iterable[Experiment], seeds: int | None, places: Places) -> Table:
    """A row per arm.

    Raises:
        UserError: a file of a run or of its results is damaged.
    """
    table = Table(
        "experiment",
        Column("config, in configs/", overflow="fold"),
        "env steps",
        "iterations",
        "target",
        "on",
        "seeds",
    )
    for experiment in experiments:
        for arm in experiment.arms:
            table.add_row(*_row(experiment, arm, seeds or experiment.seeds, places))
    return table


def _row(experiment: Experiment, arm: Arm, seeds: int, places: Places) -> tuple[str, ...]:
    plans = [plan_run(experiment, arm, seed, places) for seed in range(seeds)]
    first = plans[0]
    seeds_by_state: dict[str, list[str]] = {}
    for plan in plans:
        seeds_by_state.setdefault(run_state(plan), []).append(str(plan.run.seed))
    states = "; ".join(f"{state}: {', '.join(numbers)}" for state, numbers in seeds_by_state.items())
    return (
        f"{experiment.name} {arm.label}".strip(),
        arm.config,
        formats.steps(env_steps_after(first.config, first.run.num_iterations)),
        str(first.run.num_iterations),
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
