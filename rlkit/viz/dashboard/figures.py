"""Panels as a Plotly figure, built as a plain dict: with hundreds of lines its own objects take seconds."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from rlkit.viz.curves import REFERENCE_REACH, Line, Panel, panel_cells
from rlkit.viz.labels import axis_name
from rlkit.viz.references import WAYPOINT_LABEL
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
USUAL_WIDTH = 1180  # of the figure, until the page tells
LAYOUT = {
    "margin": {"l": MARGIN_LEFT, "r": MARGIN_RIGHT, "t": MARGIN_TOP, "b": MARGIN_BOTTOM},
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
    "plot_bgcolor": "white",
    "paper_bgcolor": "white",
    "hovermode": "closest",
}
AXIS = {"gridcolor": "#e6e6e6", "linecolor": "#888", "zeroline": False, "ticks": "outside", "tickcolor": "#888"}
LEGEND = {"xanchor": "left", "yanchor": "top", "orientation": "v", "tracegroupgap": 0, "itemsizing": "constant"}
PANEL_TITLE = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}


class Place(NamedTuple):
    """Where a panel and its legend lie, in shares of the plotting area."""

    left: float
    right: float
    top: float
    bottom: float
    legend: float  # its upper edge


def make_figure(
    panels: Sequence[Panel], x: str, num_ys: int, show: Sequence[str], revision: str, width: int = USUAL_WIDTH
) -> dict[str, Any]:
    """The figure of a selection: each panel with the legend of its own lines below it.

    Args:
        panels: by column first, as `build_panels` gives them.
        x: column of the x axis.
        num_ys: columns drawn, rows of panels each.
        show: some of SHOWABLE; a reference where the panels have one.
        revision: as long as it stays the same, zoom and hidden lines are kept.
        width: pixels that the page has for it.
    """
    height, places = _places(panels, num_ys, width)
    layout: dict[str, Any] = LAYOUT | {"height": height, "uirevision": revision, "annotations": []}
    data: list[dict[str, Any]] = []
    for index, (panel, place) in enumerate(zip(panels, places, strict=True)):
        axis = "" if index == 0 else str(index + 1)
        _place_axes(layout, panel, x, axis, place)
        budget = MAX_SEED_LINES // len(panels) if "seeds" in show else 0
        for number, line in enumerate(panel.lines):
            data += _traces(line, axis, _look(number), "band" in show, budget)
            budget -= len(line.runs)
        data += _reference(panel, x, axis)
    layout["showlegend"] = any(len(panel.lines) > 1 for panel in panels) or "reference" in show
    return {"data": data, "layout": layout}


def _places(panels: Sequence[Panel], num_ys: int, width: int) -> tuple[int, list[Place]]:
    """The height of the figure in pixels, and where each panel lies."""
    max_columns = min(MAX_COLUMNS, max(1, width // MIN_CELL_WIDTH))
    cells, num_rows, num_columns = panel_cells(len(panels), num_ys, max_columns)
    legends = [0] * num_rows
    for (row, _), panel in zip(cells, panels, strict=True):
        legends[row] = max(legends[row], min(len(panel.lines) + 1, MAX_LEGEND_ROWS) * LEGEND_ROW)
    tops = list(accumulate((PANEL_HEIGHT + X_AXIS + legend + TITLE for legend in legends), initial=TITLE))
    inner = tops[-1] - TITLE
    gap = GAP_X / (width - MARGIN_LEFT - MARGIN_RIGHT)
    size = (1 - gap * (num_columns - 1)) / num_columns

    def share(pixels: int) -> float:
        return min(max(1 - pixels / inner, 0.0), 1.0)

    def place(row: int, column: int) -> Place:
        left, top = column * (size + gap), tops[row]
        heights = share(top), share(top + PANEL_HEIGHT), share(top + PANEL_HEIGHT + X_AXIS)
        return Place(left, min(left + size, 1.0), *heights)

    return inner + MARGIN_TOP + MARGIN_BOTTOM, [place(*cell) for cell in cells]


def _place_axes(layout: dict[str, Any], panel: Panel, x: str, axis: str, place: Place) -> None:
    across, along = (place.left, place.right), (place.bottom, place.top)
    layout[f"xaxis{axis}"] = AXIS | {"domain": across, "anchor": f"y{axis}", "title": _axis_title(x)}
    layout[f"yaxis{axis}"] = AXIS | {"domain": along, "anchor": f"x{axis}", "title": _axis_title(panel.y)}
    max_height = MAX_LEGEND_ROWS * LEGEND_ROW
    layout[f"legend{axis}"] = LEGEND | {"x": place.left, "y": place.legend, "maxheight": max_height}
    title = f"<b>{html.escape(panel.title)}</b>"
    layout["annotations"].append(PANEL_TITLE | {"text": title, "x": place.left, "y": place.top})


def _axis_title(column: str) -> dict[str, Any]:
    return {"text": html.escape(axis_name(column)), "standoff": 8}


def _look(index: int) -> dict[str, Any]:
    return {"color": COLORS[index % len(COLORS)], "dash": DASHES[index // len(COLORS) % len(DASHES)]}


def _common(axis: str, group: str) -> dict[str, Any]:
    """What traces of a panel have in common that the legend switches together."""
    ids = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "legend": f"legend{axis}"}
    return ids | {"legendgroup": f"{axis} {group}", "type": "scatter"}


def _traces(line: Line, axis: str, look: dict[str, Any], with_band: bool, seed_budget: int) -> list[dict[str, Any]]:
    """Band, single runs and pooled line of one group."""
    label, pooled = html.escape(line.label), line.pooled
    common = _common(axis, label)
    behind = common | {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
    traces = []
    has_band = np.isfinite(pooled.low)
    if with_band and has_band.any():
        x, low, high = pooled.x[has_band], pooled.low[has_band], pooled.high[has_band]
        outline = {"x": _numbers([*x, *x[::-1]]), "y": _numbers([*high, *low[::-1]])}
        fill = {"fill": "toself", "fillcolor": _transparent(look["color"], 0.16), "line": {"width": 0}}
        traces.append(behind | outline | fill | {"name": f"{label}, band"})
    if seed_budget > 0:
        many_x, many_y = _joined_runs(line, seed_budget)
        thin = {"line": {"color": look["color"], "width": 0.8}, "opacity": 0.5}
        traces.append(behind | {"x": _numbers(many_x), "y": _numbers(many_y)} | thin | {"name": f"{label}, seeds"})
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
    """Levels and waypoints, where there are lines that they stand beside."""
    if not panel.lines:
        return []
    ends = [line.pooled.x[[0, -1]] for line in panel.lines]
    low, high = float(np.min(ends)), float(np.max(ends))
    common = _common(axis, "reference")
    dashed = {"mode": "lines+text", "line": {"color": GREY, "width": 1, "dash": "dash"}, "showlegend": False}
    text = {"textposition": "top right", "textfont": {"color": GREY, "size": 11}, "hoverinfo": "name+y"}
    traces = [
        common
        | dashed
        | text
        | {"x": [low, high], "y": [level, level], "name": name, "text": [html.escape(name), ""]}
        for name, level in panel.reference.levels.items()
    ]
    points = panel.reference.waypoints_until(REFERENCE_REACH * high, x)
    if points:
        steps, returns = zip(*points, strict=True)
        marker = {"mode": "markers", "marker": {"color": GREY, "symbol": "diamond", "size": 9}}
        traces.append(common | marker | {"x": steps, "y": returns, "name": WAYPOINT_LABEL, "showlegend": True})
    return traces


def _numbers(values: FloatArray | Sequence[float]) -> list[float | None]:
    """Numbers for JSON, which knows no nan."""
    return [value if value == value else None for value in np.asarray(values, dtype=float).tolist()]


def _transparent(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
