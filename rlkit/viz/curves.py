"""Learning curves: from runs to pooled lines, and from those to a figure or a csv of the plotted numbers."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit.util.files import naming
from rlkit.viz import style
from rlkit.viz.grouping import Group, differing_keys, group_runs, short, show_value
from rlkit.viz.labels import TRAJECTORY_PREFIX, X_DEFAULT, X_TRAJECTORY, Y_DEFAULT, axis_name
from rlkit.viz.references import NO_REFERENCE, REFERENCES, WAYPOINT_LABEL, Reference
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import MAX_POINTS, NUM_RESAMPLES, STATISTICS, Curve, Pooled, clean_curve, final_value, pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CSV_HEADER = ("panel", "y", "group", "num_seeds", "x", "center", "low", "high", "seeds_here")
PANEL_SIZE = (4.6, 3.1)  # inches
MAX_COLUMNS = 3
REFERENCE_REACH = 1.25  # waypoints further right than this much of the data's range are not drawn


@dataclass(frozen=True)
class CurveOptions:
    """What to draw."""

    x: str = X_DEFAULT  # column of the x axis, or X_TRAJECTORY
    ys: Sequence[str] = (Y_DEFAULT,)  # columns, one row of panels each
    group: Sequence[str] | None = None  # config keys; None: whatever differs between the runs of a panel
    statistic: str = "mean"  # one of STATISTICS
    smooth: int = 1  # points of the moving average over each run, before pooling
    reference: bool = False  # draw the levels that others reach
    levels: Mapping[str, float] = field(default_factory=dict)  # further returns to draw a level at, by name
    seeds: bool = False  # draw each run as a thin line too
    split: Sequence[str] = ()  # config keys by which runs go into panels of their own, besides the task family
    max_points: int = MAX_POINTS  # of a pooled line
    num_resamples: int = NUM_RESAMPLES  # of the bootstrap


@dataclass(frozen=True)
class Line:
    """One group's pooled curve and the runs in it."""

    label: str
    pooled: Pooled
    runs: list[Curve] = field(repr=False)
    detail: str = ""  # every setting by which the group differs


@dataclass(frozen=True)
class Panel:
    """One pair of axes: the lines of one task family and one column."""

    title: str
    env_name: str
    y: str
    lines: list[Line]
    reference: Reference = NO_REFERENCE  # what is drawn behind the lines


def make_line(group: Group, y: str, options: CurveOptions) -> Line | None:
    """Pool a group's runs; None if none of them has a point."""
    if options.x == X_TRAJECTORY:
        runs = [trajectory_curve(run) for run in group.members]
    else:
        runs = [run_curve(run, options.x, y, options.smooth) for run in group.members]
    runs = [run for run in runs if len(run.x)]
    if not runs:
        return None
    pooled = pool(runs, options.statistic, options.max_points, options.num_resamples)
    return Line(group.label, pooled, runs, group.detail)


def run_curve(run: RunReader, x: str, y: str, smooth: int = 1) -> Curve:
    """One run's finite points."""
    return clean_curve(run.progress.column(x), run.progress.column(y), smooth)


def trajectory_curve(run: RunReader) -> Curve:
    """How adaptation proceeds at a run's end: the `final_value` of each trajectory's column, by its number from 1."""
    count = sum(column.startswith(TRAJECTORY_PREFIX) for column in run.progress.columns)
    numbers = np.arange(1, count + 1)
    returns = [final_value(run.progress.column(f"{TRAJECTORY_PREFIX}{number}")) for number in numbers]
    return clean_curve(numbers.astype(np.float64), np.array(returns))


def build_panels(
    runs: Sequence[RunReader],
    options: CurveOptions,
    pool_group: Callable[[Group, str, CurveOptions], Line | None] = make_line,
) -> list[Panel]:
    """Pool runs, which are refreshed; returns of different task families do not compare: each has its own panels.

    Panels come by column first, then by task family and `split`; groups without a single point are left out.
    """
    members: dict[tuple[str, ...], list[RunReader]] = defaultdict(list)
    for run in runs:
        identity = (run.env_name, *(show_value(run.config.get(key)) for key in options.split))
        members[identity].append(run)
    panels = []
    for y in options.ys:
        for (env_name, *values), of_panel in sorted(members.items()):
            parts = [f"{short(key, options.split)}={value}" for key, value in zip(options.split, values, strict=True)]
            keys = options.group
            if keys is None:
                keys = [key for key in differing_keys(of_panel) if key not in options.split]
            lines = (pool_group(group, y, options) for group in group_runs(of_panel, keys))
            present = [line for line in lines if line is not None]
            panels.append(
                Panel(", ".join([env_name, *parts]), env_name, y, present, _reference(env_name, y, options))
            )
    return panels


def _reference(env_name: str, y: str, options: CurveOptions) -> Reference:
    """What a panel's lines stand beside: nothing where it does not show the return on unseen tasks."""
    if y != Y_DEFAULT:
        return NO_REFERENCE
    known = REFERENCES.get(env_name, NO_REFERENCE) if options.reference else NO_REFERENCE
    return Reference({**known.levels, **options.levels}, known.waypoints)


def panel_cells(num_panels: int, num_ys: int, max_columns: int) -> tuple[list[tuple[int, int]], int, int]:
    """Where panels lie: families side by side up to `max_columns`, then in further rows; each y in rows of its own.

    Returns:
        Row and column of each panel, as `build_panels` gives them; the number of rows and that of columns.
    """
    per_y = max(1, num_panels // max(num_ys, 1))
    num_columns = min(per_y, max_columns)
    rows_per_y = -(-per_y // num_columns)
    places = [divmod(index, per_y) for index in range(num_panels)]
    cells = [(y * rows_per_y + place // num_columns, place % num_columns) for y, place in places]
    return cells, 1 + max((row for row, _ in cells), default=0), num_columns


def draw_curves(panels: Sequence[Panel], options: CurveOptions) -> Figure:
    cells, num_rows, num_columns = panel_cells(len(panels), len(options.ys), MAX_COLUMNS)
    widths, heights = [PANEL_SIZE[0]] * num_columns, [PANEL_SIZE[1]] * num_rows
    for (row, column), panel in zip(cells, panels, strict=True):
        texts = _label_texts(panel)
        widths[column] = max(widths[column], PANEL_SIZE[0] + style.label_width(texts))
        heights[row] = max(heights[row], style.labels_height(len(texts)))
    with style.styled():
        figure = style.new_figure(sum(widths), sum(heights) + 0.3)
        grid = figure.subplots(num_rows, num_columns, squeeze=False, height_ratios=heights)
        for cell, panel in zip(cells, panels, strict=True):
            draw_panel(grid[cell], panel, options)
        for cell in set(np.ndindex(num_rows, num_columns)).difference(cells):
            grid[cell].remove()
        figure.supxlabel(caption(panels, options), fontsize=7, color=style.GREY, x=0.01, ha="left")
    return figure


def _label_texts(panel: Panel) -> list[str]:
    """What is written beside the panel: nothing where a single line needs no name."""
    texts = [*panel.reference.levels, *([WAYPOINT_LABEL] if panel.reference.waypoints else [])]
    return texts + [line.label for line in panel.lines] if texts or len(panel.lines) > 1 else []


def draw_panel(axes: Axes, panel: Panel, options: CurveOptions) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(axis_name(options.x))
    axes.set_ylabel(axis_name(panel.y))
    style.short_numbers(axes)
    if not panel.lines:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=style.GREY)
        return
    ends = []
    for index, line in enumerate(panel.lines):
        look = style.line_style(index)
        for run in line.runs if options.seeds else ():
            axes.plot(run.x, run.y, color=look["color"], linewidth=0.6, alpha=0.45)
        _draw_pooled(axes, line.pooled, look)
        ends.append((float(line.pooled.x[-1]), float(line.pooled.center[-1]), line.label, look["color"]))
    axes.margins(x=0.0)
    ends += _draw_reference(axes, panel.reference, options.x)
    if _label_texts(panel):
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
    """Draw levels and waypoints; returns what `label_lines` wants to know of each."""
    x_low, x_high = axes.get_xlim()
    points = reference.waypoints_until(x_low + REFERENCE_REACH * (x_high - x_low), x)
    x_high = max([x_high, *(1.02 * steps for steps, _ in points)])
    for level in reference.levels.values():
        axes.axhline(level, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ends = [(x_high, level, name, style.GREY) for name, level in reference.levels.items()]
    if points:
        steps, returns = np.transpose(points)
        axes.scatter(steps, returns, marker="D", s=22, color=style.GREY, zorder=4)
        ends.append((*points[-1], WAYPOINT_LABEL, style.GREY))
    axes.set_xlim(x_low, x_high)
    return ends


def caption(panels: Sequence[Panel], options: CurveOptions) -> str:
    """What lines and bands mean, for the foot of the figure."""
    lines = [line for panel in panels for line in panel.lines]
    if not lines:
        return "No points to draw."
    fewest, most = min(len(line.runs) for line in lines), max(len(line.runs) for line in lines)
    if most == 1:
        text = "One run per line"
    else:
        seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
        text = f"Line: {STATISTICS[options.statistic]} of {seeds} seeds; band: 95 % bootstrap confidence interval"
    if any((line.pooled.count < line.pooled.count.max()).any() for line in lines):
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
