"""Learning curves: from runs to pooled lines, and from those to a figure or a csv of the plotted numbers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit.util.files import naming
from rlkit.viz import style
from rlkit.viz.grouping import Group, differing_keys, group_runs, short, show_value
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.references import REFERENCES, WAYPOINT_LABEL, Reference
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import MAX_POINTS, NUM_RESAMPLES, Curve, Pooled, clean_curve, pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CSV_HEADER = ("panel", "y", "group", "num_seeds", "x", "center", "low", "high", "seeds_here")
PANEL_SIZE = (4.6, 3.1)  # inches
MAX_COLUMNS = 3
REFERENCE_REACH = 1.25  # waypoints further right than this much of the data's range are not drawn
STATISTIC_NAMES = {"mean": "mean", "iqm": "interquartile mean"}


@dataclass(frozen=True)
class CurveOptions:
    """What to draw.

    Attributes:
        x: column of the x axis.
        ys: columns, one row of panels each.
        group: config keys; None: whatever differs between the runs of a panel.
        statistic: "mean" or "iqm".
        smooth: points of the moving average over each run, before pooling.
        reference: draw the levels that others reach.
        levels: further returns to draw a level at, by name.
        seeds: draw each run as a thin line too.
        split: config keys by which runs go into panels of their own, besides the task family.
        max_points: of a pooled line.
        num_resamples: of the bootstrap.
    """

    x: str = X_DEFAULT
    ys: Sequence[str] = (Y_DEFAULT,)
    group: Sequence[str] | None = None
    statistic: str = "mean"
    smooth: int = 1
    reference: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)
    seeds: bool = False
    split: Sequence[str] = ()
    max_points: int = MAX_POINTS
    num_resamples: int = NUM_RESAMPLES


@dataclass(frozen=True)
class Line:
    """One group's pooled curve and the runs in it."""

    label: str
    pooled: Pooled
    runs: list[Curve] = field(repr=False)
    detail: str = ""  # every setting by which the group differs


PoolGroup = Callable[[Group, str, CurveOptions], Line | None]


@dataclass(frozen=True)
class Panel:
    """One pair of axes: the lines of one task family and one column."""

    title: str
    env_name: str
    y: str
    lines: list[Line]


def build_panels(
    runs: Sequence[RunReader], options: CurveOptions, pool_group: PoolGroup | None = None
) -> list[Panel]:
    """Pool the runs; returns of different task families do not compare, so each gets its own panels.

    Args:
        runs: refreshed.
        options: what to draw.
        pool_group: `make_line`, or one that remembers.

    Returns:
        Panels by column first, then by task family and `split`; groups without a single point are left out.
    """
    members: dict[tuple[str, ...], list[RunReader]] = {}
    for run in runs:
        values = (show_value(run.config.get(key)) for key in options.split)
        members.setdefault((run.env_name, *values), []).append(run)
    panels = []
    for y in options.ys:
        for identity in sorted(members):
            parts = [
                f"{short(key, options.split)}={value}" for key, value in zip(options.split, identity[1:], strict=True)
            ]
            lines = _lines(members[identity], y, options, pool_group or make_line)
            panels.append(Panel(", ".join([identity[0], *parts]), identity[0], y, lines))
    return panels


def _lines(members: Sequence[RunReader], y: str, options: CurveOptions, pool_group: PoolGroup) -> list[Line]:
    if options.group is None:
        keys = [key for key in differing_keys(members) if key not in options.split]
    else:
        keys = list(options.group)
    lines = (pool_group(group, y, options) for group in group_runs(members, keys))
    return [line for line in lines if line is not None]


def make_line(group: Group, y: str, options: CurveOptions) -> Line | None:
    """Pool a group's runs; None if none of them has a point."""
    runs = [run_curve(member, options.x, y, options.smooth) for member in group.members]
    runs = [run for run in runs if len(run.x)]
    if not runs:
        return None
    pooled = pool(runs, options.statistic, options.max_points, options.num_resamples)
    return Line(group.label, pooled, runs, group.detail)


def run_curve(run: RunReader, x: str, y: str, smooth: int = 1) -> Curve:
    """One run's finite points."""
    return clean_curve(run.progress.column(x), run.progress.column(y), smooth)


def draw_curves(panels: Sequence[Panel], options: CurveOptions) -> Figure:
    """One figure: a column of panels per task family up to MAX_COLUMNS, then further rows; each y its own rows."""
    per_y = max(1, len(panels) // max(len(options.ys), 1))
    num_columns = min(per_y, MAX_COLUMNS)
    rows_per_y = -(-per_y // num_columns)
    places = [divmod(index, per_y) for index in range(len(panels))]
    cells = [(y * rows_per_y + place // num_columns, place % num_columns) for y, place in places]
    num_rows = rows_per_y * max(len(options.ys), 1)
    widths, heights = [PANEL_SIZE[0]] * num_columns, [PANEL_SIZE[1]] * num_rows
    for (row, column), panel in zip(cells, panels, strict=True):
        texts = _label_texts(panel, options)
        widths[column] = max(widths[column], PANEL_SIZE[0] + style.label_width(texts))
        heights[row] = max(heights[row], style.labels_height(len(texts)))
    with style.styled():
        figure = style.new_figure(sum(widths), sum(heights) + 0.3)
        grid = figure.subplots(num_rows, num_columns, squeeze=False, height_ratios=heights)
        for cell, panel in zip(cells, panels, strict=True):
            draw_panel(grid[cell], panel, options)
            grid[cell].set_xlabel(axis_name(options.x))
        for axes in (grid[cell] for cell in np.ndindex(num_rows, num_columns) if cell not in cells):
            axes.remove()
        figure.supxlabel(caption(panels, options), fontsize=7, color=style.GREY, x=0.01, ha="left")
    return figure


def _label_texts(panel: Panel, options: CurveOptions) -> list[str]:
    """What is written beside the panel: nothing where a single line needs no name."""
    reference = _reference(panel, options)
    texts = [*reference.levels, *([WAYPOINT_LABEL] if reference.waypoints else [])]
    return texts + [line.label for line in panel.lines] if texts or len(panel.lines) > 1 else []


def _reference(panel: Panel, options: CurveOptions) -> Reference:
    """What is drawn behind the lines: nothing where the panel does not show the return on unseen tasks."""
    if panel.y != Y_DEFAULT:
        return Reference({})
    known = REFERENCES.get(panel.env_name) if options.reference else None
    known = known or Reference({})
    return Reference({**known.levels, **options.levels}, known.waypoints)


def draw_panel(axes: Axes, panel: Panel, options: CurveOptions) -> None:
    axes.set_title(panel.title)
    axes.set_ylabel(axis_name(panel.y))
    style.short_numbers(axes, "x")
    ends = []
    for index, line in enumerate(panel.lines):
        look = style.line_style(index)
        if options.seeds:
            for run in line.runs:
                axes.plot(run.x, run.y, color=look["color"], linewidth=0.6, alpha=0.45)
        _draw_pooled(axes, line.pooled, look)
        ends.append((float(line.pooled.x[-1]), float(line.pooled.center[-1]), line.label, look["color"]))
    if not panel.lines:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=style.GREY)
        return
    axes.margins(x=0.0)
    ends += _draw_reference(axes, _reference(panel, options), options.x)
    if _label_texts(panel, options):
        style.label_lines(axes, ends)


def _draw_pooled(axes: Axes, pooled: Pooled, look: dict[str, Any]) -> None:
    """Solid where all seeds contribute, thin where some have ended or not begun."""
    color = look["color"]
    full = pooled.count == pooled.count.max()
    marker = "o" if len(pooled.x) == 1 else None
    axes.plot(pooled.x, pooled.center, linewidth=0.9, color=color, linestyle=look["linestyle"], marker=marker)
    axes.plot(pooled.x, np.where(full, pooled.center, np.nan), **look)
    axes.fill_between(pooled.x, pooled.low, pooled.high, color=color, alpha=0.18, linewidth=0)


def _draw_reference(axes: Axes, reference: Reference, x: str) -> list[tuple[float, float, str, str]]:
    x_low, x_high = axes.get_xlim()
    reach = x_low + REFERENCE_REACH * (x_high - x_low)
    points = [point for point in reference.waypoints if x == X_DEFAULT and point[0] <= reach]
    ends = []
    for name, level in reference.levels.items():
        axes.axhline(level, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        ends.append((x_high, level, name, style.GREY))
    if points:
        axes.scatter(
            [steps for steps, _ in points],
            [level for _, level in points],
            marker="D",
            s=22,
            color=style.GREY,
            zorder=4,
        )
        ends.append((*points[-1], WAYPOINT_LABEL, style.GREY))
    right = max([x_high, *(1.02 * point[0] for point in points)])
    axes.set_xlim(x_low, right)
    return [(right if text in reference.levels else end_x, y, text, color) for end_x, y, text, color in ends]


def caption(panels: Sequence[Panel], options: CurveOptions) -> str:
    """What lines and bands mean, for the foot of the figure."""
    sizes = {len(line.runs) for panel in panels for line in panel.lines}
    if not sizes:
        return "No points to draw."
    if sizes == {1}:
        text = "One run per line"
    else:
        seeds = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
        name = STATISTIC_NAMES[options.statistic]
        text = f"Line: {name} of {seeds} seeds; band: 95 % bootstrap confidence interval"
    if any((line.pooled.count < line.pooled.count.max()).any() for panel in panels for line in panel.lines):
        text += "; thin where some seeds are missing"
    return text + (f"; moving average over {options.smooth} points." if options.smooth > 1 else ".")


def write_csv(panels: Sequence[Panel], path: Path) -> None:
    """Write the plotted numbers, one row per point of each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        for panel in panels:
            for line in panel.lines:
                p = line.pooled
                for row in zip(p.x, p.center, p.low, p.high, p.count, strict=True):
                    writer.writerow([panel.title, panel.y, line.label, len(line.runs), *(v.item() for v in row)])
