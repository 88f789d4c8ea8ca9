"""The picture of a study: value against each searched setting, and the learning curves of its best points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit.viz import style
from rlkit.viz.curves import CurveOptions, Line, Panel, draw_panel, make_line
from rlkit.viz.grouping import Group
from rlkit.viz.labels import axis_name
from rlkit.viz.run_reader import RunReader

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_SIZE = (3.4, 2.9)  # inches
CURVES_WIDTH = 5.0
MAX_COLUMNS = 3


@dataclass(frozen=True)
class PointValues:
    """A point of the study: its settings by dotted key, and what each of its runs came to."""

    settings: Mapping[str, Any]
    values: Sequence[float]
    is_complete: bool  # no run of it was ended early


@dataclass(frozen=True)
class Best:
    """One of the best points: what it is called, and its runs' folders."""

    label: str
    folders: Sequence[Path]


def draw_study(
    points: Sequence[PointValues], keys: Mapping[str, bool], metric: str, best: Sequence[Best], env_name: str
) -> Figure:
    """One figure of all.

    Args:
        points: those with a value.
        keys: the searched settings, and whether each is drawn on a logarithmic scale.
        metric: the column that the values are of.
        best: the points whose curves are drawn, best first.
        env_name: the task family.
    """
    options = CurveOptions(ys=(metric,), statistic="iqm")
    lines = [_line(one, options) for one in best]
    panel = Panel("best points", env_name, metric, [line for line in lines if line is not None])
    columns = min(len(keys), MAX_COLUMNS)
    rows = -(-len(keys) // columns)
    width = CURVES_WIDTH + style.label_width([line.label for line in panel.lines])
    with style.styled():
        figure = style.new_figure(max(columns * PANEL_SIZE[0], width), (rows + 1) * PANEL_SIZE[1])
        grid = figure.add_gridspec(rows + 1, columns)
        shared: Axes | None = None
        for index, (key, is_log) in enumerate(keys.items()):
            axes = figure.add_subplot(grid[divmod(index, columns)], sharey=shared)
            shared = shared or axes
            _draw_setting(axes, key, points, is_log=is_log)
            if index % columns == 0:
                axes.set_ylabel(axis_name(metric))
        draw_panel(figure.add_subplot(grid[rows, :]), panel, options)
    return figure


def _line(best: Best, options: CurveOptions) -> Line | None:
    runs = [RunReader(folder) for folder in best.folders]
    for run in runs:
        run.refresh()
    return make_line(Group(best.label, best.label, runs), options.ys[0], options)


def _draw_setting(axes: Axes, key: str, points: Sequence[PointValues], *, is_log: bool) -> None:
    """A dot per run; hollow where a run of its point was ended early."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    settings = [point.settings[key] for point in points]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in settings)
    places: list[float] = settings
    if not is_number:
        names = sorted({json.dumps(value) for value in settings})
        places = [names.index(json.dumps(value)) for value in settings]
        axes.set_xticks(range(len(names)), names)
    for place, point in zip(places, points, strict=True):
        face = style.COLORS[0] if point.is_complete else "none"
        x = np.full(len(point.values), place)
        axes.scatter(x, point.values, s=14, facecolors=face, edgecolors=style.COLORS[0], linewidths=0.8, alpha=0.7)
    if is_log and is_number:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(key.rsplit(".", 1)[-1])
