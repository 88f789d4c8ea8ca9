"""What scripts/plot.py does: runs in, figures and numbers out, each file named as it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click

from rlkit.util.errors import UserError
from rlkit.viz import style
from rlkit.viz.curves import CurveOptions, build_panels, draw_curves, write_csv
from rlkit.viz.report import write_report
from rlkit.viz.run_reader import RunReader, find_runs


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


def read_runs(paths: Sequence[Path]) -> list[RunReader]:
    """The runs that have rows; the others are named on stderr.

    Raises:
        UserError: there is none.
    """
    runs = find_runs(paths)
    for run in runs:
        run.refresh()
        _note(run, run.problems)
    with_rows = [run for run in runs if run.progress.num_rows]
    if not with_rows:
        raise UserError(f"no experiment with rows in progress.csv at or below {', '.join(map(str, paths))}")
    return with_rows


def draw(runs: Sequence[RunReader], options: CurveOptions, output: Path, csv_path: Path | None) -> None:
    """Write the figure, and the numbers where asked to, and name the files."""
    panels = build_panels(runs, options)
    click.echo(style.save(draw_curves(panels, options), output))
    if csv_path is not None:
        write_csv(panels, csv_path)
        click.echo(csv_path)


def write_reports(runs: Sequence[RunReader], paths: Sequence[Path]) -> None:
    """Draw the pictures of every run and name them.

    Raises:
        UserError: there are no runs.
    """
    if not runs:
        raise UserError(f"no experiment (a folder with progress.csv) at or below {', '.join(map(str, paths))}")
    for run in runs:
        _note(run, run.folder.unreadable_files())
        pictures = write_report(run.path)
        for picture in pictures:
            click.echo(click.format_filename(picture))
        if not pictures:
            _note(run, ["nothing to draw yet"])


def _note(run: RunReader, problems: Sequence[str]) -> None:
    for problem in problems:
        click.echo(f"note: {click.format_filename(run.path)}: {problem}", err=True)
