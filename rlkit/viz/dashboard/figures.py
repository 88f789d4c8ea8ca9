"""Panels as a Plotly figure, built as a plain dict: with hundreds of lines its own objects take seconds."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlkit.viz.curves import Line, Panel
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.references import REFERENCES, WAYPOINT_LABEL
from rlkit.viz.stats import FloatArray
from rlkit.viz.style import COLORS, GREY

DASHES = ("solid", "dash", "dot", "dashdot")
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 70, 20, 30, 20  # pixels, as all sizes here
TITLE, PANEL_HEIGHT, X_AXIS, LEGEND_ROW, GAP_X = 30, 320, 60, 20, 80
MAX_LEGEND_ROWS = 16  # then it scrolls
MIN_CELL_WIDTH = 550  # of a panel of at least 400 with what is beside it
MAX_SEED_LINES = 200  # in one figure: more cannot be told apart and make the page slow
MAX_SEED_POINTS = 200  # of one of them
MAX_COLUMNS = 3


def make_figure(
    panels: Sequence[Panel], x: str, num_ys: int, show: Sequence[str], revision: str, width: int = 1180
) -> dict[str, Any]:
    """The figure of a selection: each panel with the legend of its own lines below it.

    Args:
        panels: by column first, as `build_panels` gives them.
        x: column of the x axis.
        num_ys: columns drawn, rows of panels each.
        show: some of "band", "seeds", "reference".
        revision: as long as it stays the same, zoom and hidden lines are kept.
        width: pixels that the page has for it.
    """
    per_y = max(1, len(panels) // max(num_ys, 1))
    num_columns = min(per_y, MAX_COLUMNS, max(1, width // MIN_CELL_WIDTH))
    rows_per_y = -(-per_y // num_columns)
    places = [divmod(index, per_y) for index in range(len(panels))]
    cells = [(y * rows_per_y + place // num_columns, place % num_columns) for y, place in places]
    grid = _Grid(cells, [len(panel.lines) for panel in panels], num_columns, width)
    layout = _empty_layout(grid.height, revision)
    data: list[dict[str, Any]] = []
    for index, panel in enumerate(panels):
        axis = "" if index == 0 else str(index + 1)
        _place_axes(layout, panel, x, axis, grid, cells[index])
        budget = MAX_SEED_LINES // max(len(panels), 1) if "seeds" in show else 0
        for number, line in enumerate(panel.lines):
            data += _traces(line, axis, _look(number), "band" in show, budget)
            budget -= len(line.runs)
        if "reference" in show:
            data += _reference(panel, x, axis)
    layout["showlegend"] = any(len(panel.lines) > 1 for panel in panels) or "reference" in show
    return {"data": data, "layout": layout}


class _Grid:
    """Where panels and their legends lie, in shares of the plotting area, from sizes in pixels."""

    def __init__(
        self, cells: Sequence[tuple[int, int]], num_lines: Sequence[int], num_columns: int, width: int
    ) -> None:
        self._num_columns, self._width = num_columns, width - MARGIN_LEFT - MARGIN_RIGHT
        legends = [0] * (max((row for row, _ in cells), default=0) + 1)
        for (row, _), count in zip(cells, num_lines, strict=True):
            legends[row] = max(legends[row], min(count + 1, MAX_LEGEND_ROWS) * LEGEND_ROW)
        self._tops = [TITLE]
        for legend in legends:
            self._tops.append(self._tops[-1] + PANEL_HEIGHT + X_AXIS + legend + TITLE)
        self._inner = self._tops[-1] - TITLE
        self.height = self._inner + MARGIN_TOP + MARGIN_BOTTOM

    def x(self, column: int) -> tuple[float, float]:
        """From where to where a column's panels reach."""
        gap = GAP_X / self._width
        size = (1 - gap * (self._num_columns - 1)) / self._num_columns
        left = column * (size + gap)
        return left, min(left + size, 1.0)

    def y(self, row: int, below_top: int = 0) -> float:
        """The height of a row's panels' upper edge, or of what is so many pixels below."""
        return min(max(1 - (self._tops[row] + below_top) / self._inner, 0.0), 1.0)


def _empty_layout(height: int, revision: str) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": MARGIN_LEFT, "r": MARGIN_RIGHT, "t": MARGIN_TOP, "b": MARGIN_BOTTOM},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "hovermode": "closest",
        "uirevision": revision,
        "annotations": [],
    }


def _place_axes(layout: dict[str, Any], panel: Panel, x: str, axis: str, grid: _Grid, cell: tuple[int, int]) -> None:
    row, column = cell
    left, right = grid.x(column)
    top, bottom = grid.y(row), grid.y(row, PANEL_HEIGHT)
    look = {"gridcolor": "#e6e6e6", "linecolor": "#888", "zeroline": False, "ticks": "outside", "tickcolor": "#888"}
    title = {"text": html.escape(axis_name(x)), "standoff": 8}
    layout[f"xaxis{axis}"] = look | {"domain": [left, right], "anchor": f"y{axis}", "title": title}
    title = {"text": html.escape(axis_name(panel.y)), "standoff": 8}
    layout[f"yaxis{axis}"] = look | {"domain": [bottom, top], "anchor": f"x{axis}", "title": title}
    layout[f"legend{axis}"] = {
        "x": left,
        "y": grid.y(row, PANEL_HEIGHT + X_AXIS),
        "xanchor": "left",
        "yanchor": "top",
        "orientation": "v",
        "tracegroupgap": 0,
        "itemsizing": "constant",
        "maxheight": MAX_LEGEND_ROWS * LEGEND_ROW,
    }
    layout["annotations"].append(
        {
            "text": f"<b>{html.escape(panel.title)}</b>",
            "x": left,
            "y": top,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
        }
    )


def _look(index: int) -> dict[str, Any]:
    return {"color": COLORS[index % len(COLORS)], "dash": DASHES[index // len(COLORS) % len(DASHES)]}


def _traces(line: Line, axis: str, look: dict[str, Any], with_band: bool, seed_budget: int) -> list[dict[str, Any]]:
    """Band, single runs and pooled line of one group, which the legend switches together."""
    label = html.escape(line.label)
    common = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "legend": f"legend{axis}", "legendgroup": f"{axis} {label}"}
    common |= {"type": "scatter", "mode": "lines"}
    pooled = line.pooled
    traces = []
    if with_band and np.isfinite(pooled.low).any():
        has_band = np.isfinite(pooled.low)
        x, low, high = pooled.x[has_band], pooled.low[has_band], pooled.high[has_band]
        outline = {"x": _numbers([*x, *x[::-1]]), "y": _numbers([*high, *low[::-1]])}
        fill = {"fill": "toself", "fillcolor": _transparent(look["color"], 0.16), "line": {"width": 0}}
        traces.append(common | outline | fill | {"hoverinfo": "skip", "showlegend": False, "name": f"{label}, band"})
    if seed_budget > 0:
        many_x, many_y = _joined_runs(line, seed_budget)
        thin = {"line": {"color": look["color"], "width": 0.8}, "opacity": 0.5}
        seeds = {"x": _numbers(many_x), "y": _numbers(many_y), "hoverinfo": "skip", "showlegend": False}
        traces.append(common | seeds | thin | {"name": f"{label}, seeds"})
    mode = "lines+markers" if len(pooled.x) < 3 else "lines"
    detail = "<br>".join(textwrap.wrap(html.escape(line.detail or line.label), 80))
    hover = f"<b>{detail}</b><br>%{{x:,}}: %{{y:.4g}}<br>%{{customdata}} of {len(line.runs)} seeds<extra></extra>"
    center = {"x": _numbers(pooled.x), "y": _numbers(pooled.center), "customdata": pooled.count.tolist()}
    shown = {"line": look | {"width": 2}, "name": label, "showlegend": True, "mode": mode, "hovertemplate": hover}
    return [*traces, common | center | shown]


def _joined_runs(line: Line, budget: int) -> tuple[list[float], list[float]]:
    """Single runs end to end with gaps, so that a group is one trace; thinned out where they are long."""
    x: list[float] = []
    y: list[float] = []
    for run in line.runs[:budget]:
        keep = np.unique(np.linspace(0, len(run.x) - 1, min(len(run.x), MAX_SEED_POINTS)).astype(int))
        x += [*run.x[keep], np.nan]
        y += [*run.y[keep], np.nan]
    return x, y


def _reference(panel: Panel, x: str, axis: str) -> list[dict[str, Any]]:
    reference = REFERENCES.get(panel.env_name)
    ends = [line.pooled.x[[0, -1]] for line in panel.lines]
    if reference is None or panel.y != Y_DEFAULT or not ends:
        return []
    low, high = float(np.min(ends)), float(np.max(ends))
    common: dict[str, Any] = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "type": "scatter"}
    common |= {"legend": f"legend{axis}", "legendgroup": f"{axis} reference"}
    grey = {"line": {"color": GREY, "width": 1, "dash": "dash"}, "textfont": {"color": GREY, "size": 11}}
    traces = [
        common
        | {"x": [low, high], "y": [level, level], "mode": "lines+text", "name": name, "hoverinfo": "name+y"}
        | {"text": [html.escape(name), ""], "textposition": "top right", "showlegend": False}
        | grey
        for name, level in reference.levels.items()
    ]
    points = [point for point in reference.waypoints if x == X_DEFAULT and point[0] <= 1.25 * high]
    if points:
        places = {"x": [point[0] for point in points], "y": [point[1] for point in points], "mode": "markers"}
        marker = {"color": GREY, "symbol": "diamond", "size": 9}
        shown = {"name": WAYPOINT_LABEL, "marker": marker, "showlegend": True}
        traces.append(common | places | shown)
    return traces


def _numbers(values: FloatArray | Sequence[float]) -> list[float | None]:
    """Numbers for JSON, which knows no nan."""
    return [value if value == value else None for value in np.asarray(values, dtype=float).tolist()]


def _transparent(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
