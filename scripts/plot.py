"""Draw learning curves of the runs in PATHs (folders, searched below, or progress.csv files)."""

from __future__ import annotations

from pathlib import Path

import click

from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import UserError
from rlkit.viz.curves import CurveOptions
from rlkit.viz.grouping import resolve_key
from rlkit.viz.labels import X_DEFAULT, X_TRAJECTORY, Y_DEFAULT, resolve_column
from rlkit.viz.plotting import draw, parse_level, read_runs, write_reports
from rlkit.viz.run_reader import all_columns, find_runs
from rlkit.viz.stats import STATISTICS

FORMATS = (".png", ".pdf", ".svg")


@click.command(cls=Command, help=__doc__)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=UserPath())
@click.option("--x", default=X_DEFAULT, show_default=True, metavar="COLUMN", help="Column of the x axis.")
@click.option(
    "--y",
    "ys",
    multiple=True,
    default=[Y_DEFAULT],
    show_default=True,
    metavar="COLUMN",
    help="Repeat for more panels.",
)
@click.option(
    "--group",
    multiple=True,
    metavar="KEY",
    help="Config key that tells lines apart, e.g. kl_lambda; repeatable (default: what differs between the runs).",
)
@click.option(
    "--statistic",
    type=click.Choice(list(STATISTICS)),
    default="mean",
    show_default=True,
    help="How seeds are pooled: mean or interquartile mean; the band is its 95 % bootstrap interval.",
)
@click.option("--smooth", type=click.IntRange(min=1), default=1, metavar="N", help="Moving average over N points.")
@click.option("--seeds", is_flag=True, help="Draw each run as a thin line too.")
@click.option("--reference", is_flag=True, help="Draw the levels that trivial policies and other code reach.")
@click.option("--level", "levels", multiple=True, metavar="NAME=RETURN", help="Draw a level of your own; repeatable.")
@click.option(
    "--by-trajectory",
    is_flag=True,
    help="Draw the return of each trajectory of an evaluation instead, as the runs end: their last 10 % of rows.",
)
@click.option("--csv", "csv_path", type=UserPath(), metavar="FILE", help="Write the plotted numbers.")
@click.option("--report", is_flag=True, help="Draw each run's own pictures into its plots/ folder instead.")
@click.option(
    "-o",
    "--output",
    type=UserPath(),
    default=Path("learning_curves.png"),
    show_default=True,
    metavar="FILE",
    help="PNG, PDF or SVG.",
)
def main(
    paths: tuple[Path, ...],
    x: str,
    ys: tuple[str, ...],
    group: tuple[str, ...],
    statistic: str,
    smooth: int,
    seeds: bool,
    reference: bool,
    levels: tuple[str, ...],
    by_trajectory: bool,
    csv_path: Path | None,
    report: bool,
    output: Path,
) -> None:
    if output.suffix.lower() not in FORMATS:
        raise UserError(f"--output: {output} should end in one of {', '.join(FORMATS)}")
    if report:
        write_reports(find_runs(paths), paths)
        return
    runs = read_runs(paths)
    columns = all_columns(runs)
    options = CurveOptions(
        x=X_TRAJECTORY if by_trajectory else resolve_column(x, columns, "--x"),
        ys=[Y_DEFAULT] if by_trajectory else [resolve_column(y, columns, "--y") for y in ys],
        group=[resolve_key(key, runs) for key in group] or None,
        statistic=statistic,
        smooth=smooth,
        reference=reference,
        levels=dict(map(parse_level, levels)),
        seeds=seeds,
    )
    draw(runs, options, output, csv_path)


if __name__ == "__main__":
    run_command(main)
