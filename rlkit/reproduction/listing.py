"""What reproduce.py --list shows: how far the runs of each experiment are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlkit.reproduction import results as formats
from rlkit.reproduction.experiments import Arm, Experiment
from rlkit.reproduction.plan import Plan, Reproduction
from rlkit.reproduction.results import read_result

LIST_HEAD = ("experiment", "config, in configs/", "env steps", "iterations", "target", "on", "seeds")


def list_rows(
    reproduction: Reproduction, experiments: Iterable[Experiment], seeds: int | None
) -> Iterator[tuple[str, ...]]:
    """A row per arm below LIST_HEAD.

    Raises:
        UserError: a file of a run or of its results is damaged.
    """
    for experiment in experiments:
        for arm in experiment.arms:
            planned = [reproduction.plan(experiment, arm, seed) for seed in range(seeds or experiment.seeds)]
            yield _list_row(experiment, arm, planned)


def _list_row(experiment: Experiment, arm: Arm, planned: list[Plan]) -> tuple[str, ...]:
    seeds_by_state: dict[str, list[str]] = {}
    for plan in planned:
        seeds_by_state.setdefault(run_state(plan), []).append(str(plan.run.seed))
    states = "; ".join(f"{state}: {', '.join(numbers)}" for state, numbers in seeds_by_state.items())
    return (
        f"{experiment.name} {arm.label}".strip(),
        arm.config,
        formats.steps(planned[0].env_steps),
        str(planned[0].run.num_iterations),
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
