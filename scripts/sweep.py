"""Run the study that STUDY.json describes: every point of its space, each with several seeds.

Runs go to output/[ENV]/[STUDY]/, where study.csv says how each stands; with --resume a study goes on that was
interrupted, and no run that has ended is repeated. docs/scaling.md says more, up to clusters.
"""

from __future__ import annotations

from pathlib import Path

import click

from rlkit.config.files import changed_config
from rlkit.launchers.runs import share_of_cpus
from rlkit.runs.folder import is_folder_name
from rlkit.sweep.engine import Means, execute
from rlkit.sweep.outcome import draw_outcome
from rlkit.sweep.session import Session
from rlkit.sweep.show import Show
from rlkit.sweep.study import load_study
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import EXIT_FAILED, UserError


@click.command(cls=Command, help=__doc__)
@click.argument("study", type=UserPath(), metavar="STUDY.json")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time (default: as many as there is room for).")
@click.option(
    "--cpus-per-run",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="CPUs of each run (default: 1, or a share of this machine's by --jobs).",
)
@click.option(
    "--gpus-per-run",
    type=click.FloatRange(min=0),
    metavar="F",
    help="GPUs of each run; with a fraction several share one (default: 1 where there are any).",
)
@click.option(
    "--address", metavar="ADDR", help="HOST:PORT of a running Ray cluster, or auto (default: this machine)."
)
@click.option("--storage", metavar="URI", help="Where run folders are kept for machines that share none, as s3://...")
@click.option("--name", metavar="NAME", help="Of the study's folder (default: the file's).")
@click.option("--resume", is_flag=True, help="Go on with the study of this name.")
@click.option("--dry-run", is_flag=True, help="List the runs and start none.")
def main(
    study: Path,
    jobs: int | None,
    cpus_per_run: float | None,
    gpus_per_run: float | None,
    address: str | None,
    storage: str | None,
    name: str | None,
    resume: bool,
    dry_run: bool,
) -> int:
    described, base = load_study(study)
    name = study.stem if name is None else name
    if not is_folder_name(name):
        raise UserError(f"--name {name}: should be the name of a folder, without slashes")
    if cpus_per_run is None:
        cpus_per_run = 1.0 if address is not None or jobs is None else share_of_cpus(jobs)
    if gpus_per_run is None and not base.util_params.use_gpu:
        gpus_per_run = 0.0
    if not base.util_params.num_threads:  # the config states none: as many as a run has CPUs
        base = changed_config(base, {"util_params.num_threads": max(1, int(cpus_per_run))})
    session = Session(described, base, name, resumes=resume)
    if dry_run:
        show_plan(session)
        return 0
    asha = None if described.stop is None else described.stop.asha
    means = Means(None, jobs, cpus_per_run, gpus_per_run, address, described.metric, described.mode, asha, storage)
    show = Show(session)
    with show.live:
        execute(session, means)
    show.result()
    for path in draw_outcome(session):
        click.echo(path)
    return EXIT_FAILED if any(entry.state == "failed" for entry in session.entries) else 0


def show_plan(session: Session) -> None:
    """List the runs that are known before the start."""
    for entry in session.entries:
        how = "" if entry.state == "waiting" else f" ({entry.state})"
        click.echo(f"{entry.run.name}: {entry.point.shown}{how}")
    num_runs = session.study.num_runs
    later = num_runs - len(session.entries)
    chosen = f", {later} of them with settings that Optuna chooses" if later else ""
    click.echo(f"{num_runs} runs{chosen}, below {session.folder}")


if __name__ == "__main__":
    run_command(main)
