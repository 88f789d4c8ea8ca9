"""Run the experiments that compare this code with the paper, and make results/ and docs/results.md from them.

Starts what is missing, resumes what is unfinished, leaves out what is kept in results/ already. Then keeps the
results of every finished run, and remakes tables and figures. --budget-minutes 0 does that last part alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from rlkit.launchers.runs import ROOT, Run, share_of_cpus, thread_settings
from rlkit.reproduction.collect import collect, gpu_name, note_session
from rlkit.reproduction.experiments import Experiment
from rlkit.reproduction.listing import LIST_HEAD, list_rows
from rlkit.reproduction.plan import Plan, Reproduction
from rlkit.reproduction.remake import remake
from rlkit.reproduction.results import read_result
from rlkit.sweep.engine import Means, execute
from rlkit.sweep.work import RunList
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import EXIT_FAILED, UserError

OUTPUT, RESULTS, PAGE = Path("output"), ROOT / "results", ROOT / "docs" / "results.md"
PRINTED_WIDTH = 160  # where there is no terminal


@click.command(cls=Command, help=__doc__)
@click.option("--list", "only_list", is_flag=True, help="Show the experiments and how far each run is; run nothing.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="This experiment; repeatable.")
@click.option(
    "--seeds", type=click.IntRange(min=1), help="Seeds 0, 1, ... of each (default: the experiment's number)."
)
@click.option("--device", default="cpu", show_default=True, metavar="cpu|cuda[:ID]", help="What to train on.")
@click.option("--budget-minutes", type=click.FloatRange(min=0), metavar="M", help="Then stop, to be resumed later.")
@click.option(
    "--collect",
    "collected",
    multiple=True,
    type=UserPath(exists=True, file_okay=False),
    metavar="EXP_DIR",
    help="Keep what this finished run of an experiment's config came to, wherever it lies; repeatable.",
)
@click.option(
    "--cpu-minutes", type=click.FloatRange(min=0), metavar="M", help="Processor time of the one run of --collect."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option(
    "--output",
    type=UserPath(),
    default=OUTPUT,
    show_default=True,
    metavar="DIR",
    help="Where the runs are.",
)
def main(
    only_list: bool,
    names: tuple[str, ...],
    seeds: int | None,
    device: str,
    budget_minutes: float | None,
    collected: tuple[Path, ...],
    cpu_minutes: float | None,
    jobs: int,
    output: Path,
) -> int:
    reproduction = Reproduction(output, RESULTS, PAGE)
    experiments = choose(reproduction, names, device)
    named_or_all = experiments if names else reproduction.experiments
    if only_list:
        show(reproduction, named_or_all, seeds)
        return 0
    if cpu_minutes is not None and len(collected) != 1:
        raise UserError("--cpu-minutes: should come with one --collect")
    failed = []
    for plan in [reproduction.plan_of(folder, named_or_all) for folder in collected]:
        is_new = collect(plan, reproduction.results, cpu_minutes)
        click.echo(f"{plan.run.folder}: {'kept' if is_new else 'kept already'} in {plan.results}")
    if budget_minutes != 0 and not collected:
        deadline = math.inf if budget_minutes is None else time.monotonic() + 60 * budget_minutes
        wanted = wanted_runs(reproduction.plans(experiments, seeds, tuple(thread_settings(jobs))))
        failed = run_all(wanted, device, jobs, deadline)
    remake(reproduction)
    return EXIT_FAILED if failed else 0


def show(reproduction: Reproduction, experiments: Sequence[Experiment], seeds: int | None) -> None:
    """Print a row per arm."""
    table = Table(*(Column(heading, overflow="fold") for heading in LIST_HEAD))
    for row in list_rows(reproduction, experiments, seeds):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH).print(table)


def choose(reproduction: Reproduction, names: tuple[str, ...], device: str) -> list[Experiment]:
    """The experiments called so, or all that are meant for the device.

    Raises:
        UserError: no such experiment, or no such kind of device.
    """
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and (kind == "cpu" or not index.isdigit())):
        raise UserError(f"--device {device}: should be cpu, cuda or cuda:ID")
    if not names:
        meant_for = "cpu" if kind == "cpu" else "gpu"
        return [experiment for experiment in reproduction.experiments if experiment.device == meant_for]
    return [reproduction.find(name) for name in dict.fromkeys(names)]


def wanted_runs(plans: Iterable[Plan]) -> list[Plan]:
    """Those that have no results yet.

    Raises:
        UserError: a run of another config is in the way, or a file of results is damaged.
    """
    wanted = []
    for plan in plans:
        if read_result(plan) is not None:
            continue
        if plan.has_run and (differences := plan.differences(plan.run.folder)):
            raise UserError(f"{plan.run.folder} is of another config: {'; '.join(differences)}; move it away")
        wanted.append(plan)
    return wanted


def run_all(wanted: Sequence[Plan], device: str, jobs: int, deadline: float) -> list[Run]:
    """Take the runs on until the deadline; returns those that failed.

    Raises:
        UserError: there is no such device.
        KeyboardInterrupt: interrupted; the runs can be resumed.
    """
    if device == "cpu":
        for plan in wanted:
            if plan.experiment.device == "gpu":
                click.echo(f"{plan.run.name}: meant for a GPU; about {plan.hours_on_cpu:.0f} h on two CPU cores")
    options = ["--cpu"] if device == "cpu" else ["--gpu", device.partition(":")[2] or "0"]
    gpu_name(device)  # the launcher would fall back to the CPU
    work = RunList([plan.run for plan in wanted], partial(note_session, device=device))
    execute(work, Means(options, jobs, share_of_cpus(jobs), deadline=deadline))
    return work.failed


if __name__ == "__main__":
    run_command(main)
