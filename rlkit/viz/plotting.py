"""What scripts/plot.py does: runs in, figures and numbers out, each file named as it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click

from rlkit.util.errors import UserError
from rlkit.viz import style
from rlkit.viz.by_trajectory import X_TRAJECTORY, pool_by_trajectory
from rlkit.viz.curves import CurveOptions, build_panels, draw_curves, write_csv
from rlkit.viz.experiments import Experiment, find_experiments
from rlkit.viz.report import write_report


def parse_level(text: str) -> tuple[str, float]:
    """The name and the return of a level.

    Raises:
        UserError: `text` is something else.
    """
    name, _, value = text.rpartition("=")
    try:
        level = float(value)
    except ValueError:
        level = math.nan
    if not name or not math.isfinite(level):
        raise UserError(f"--level {text}: should be a name and a return, as in target=-9")
    return name, level


def read_runs(paths: Sequence[Path]) -> list[Experiment]:
    """The runs that have rows; the others are named on stderr.

    Raises:
        UserError: there is none.
    """
    experiments = find_experiments(paths)
    for experiment in experiments:
        experiment.refresh()
        for problem in experiment.problems:
            click.echo(f"note: {click.format_filename(experiment.path)}: {problem}", err=True)
    with_rows = [experiment for experiment in experiments if experiment.progress.num_rows]
    if not with_rows:
        raise UserError(f"no experiment with rows in progress.csv at or below {', '.join(map(str, paths))}")
    return with_rows


def draw(experiments: Sequence[Experiment], options: CurveOptions, output: Path, csv_path: Path | None) -> None:
    """Write the figure, and the numbers where asked to, and name the files."""
    panels = build_panels(experiments, options, pool_by_trajectory if options.x == X_TRAJECTORY else None)
    click.echo(style.save(draw_curves(panels, options), output))
    if csv_path is not None:
        write_csv(panels, csv_path)
        click.echo(csv_path)


def write_reports(experiments: Sequence[Experiment], paths: Sequence[Path]) -> None:
    """Draw the pictures of every experiment and name them.

    Raises:
        UserError: there are no experiments.
    """
    if not experiments:
        raise UserError(f"no experiment (a folder with progress.csv) at or below {', '.join(map(str, paths))}")
    for experiment in experiments:
        for problem in experiment.folder.unreadable_files():
            click.echo(f"note: {click.format_filename(experiment.path)}: {problem}", err=True)
        pictures = write_report(experiment.path)
        for picture in pictures:
            click.echo(click.format_filename(picture))
        if not pictures:
            click.echo(f"note: {click.format_filename(experiment.path)}: nothing to draw yet", err=True)
