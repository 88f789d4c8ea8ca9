"""Panels as a Plotly figure, built as a plain dict: with hundreds of lines its own objects take seconds."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlkit.viz.curves import Line, Panel
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.references import REFERENCES, WAYPOINT_LABEL
from rlkit.viz.stats import FloatArray
from rlkit.viz.style import COLORS, GREY

DASHES = ("solid", "dash", "dot", "dashdot")
PANEL_HEIGHT, HEADER_HEIGHT = 360, 90  # pixels
MAX_SEED_LINES = 200  # in one figure: more cannot be told apart and make the page slow
MAX_SEED_POINTS = 200  # of one of them
MAX_COLUMNS = 3


def make_figure(panels: Sequence[Panel], x: str, num_ys: int, show: Sequence[str], revision: str) -> dict[str, Any]:
    """The figure of a selection.

    Args:
        panels: by column first, as `build_panels` gives them.
        x: column of the x axis.
        num_ys: columns drawn, a row of panels each.
        show: some of "band", "seeds", "reference".
        revision: as long as it stays the same, zoom and hidden lines are kept.
    """
    per_y = max(1, len(panels) // max(num_ys, 1))
    num_columns = min(per_y, MAX_COLUMNS)
    rows_per_y = -(-per_y // num_columns)
    num_rows = max(1, rows_per_y * num_ys)
    layout = _empty_layout(num_rows, revision)
    data: list[dict[str, Any]] = []
    labels = {label: i for i, label in enumerate(dict.fromkeys(line.label for p in panels for line in p.lines))}
    named: set[str] = set()
    for index, panel in enumerate(panels):
        row = index // per_y * rows_per_y + index % per_y // num_columns
        axis = "" if index == 0 else str(index + 1)
        _place_axes(layout, panel, x, axis, (row, index % per_y % num_columns), (num_rows, num_columns))
        budget = MAX_SEED_LINES // max(len(panels), 1) if "seeds" in show else 0
        for line in panel.lines:
            data += _traces(line, axis, _look(labels[line.label]), "band" in show, budget, line.label not in named)
            named.add(line.label)
            budget -= len(line.runs)
        if "reference" in show:
            data += _reference(panel, x, axis, WAYPOINT_LABEL not in named)
            named |= {trace["name"] for trace in data[-1:]}
    layout["showlegend"] = len(labels) > 1 or "reference" in show
    return {"data": data, "layout": layout}


def _empty_layout(num_rows: int, revision: str) -> dict[str, Any]:
    return {
        "height": HEADER_HEIGHT + PANEL_HEIGHT * num_rows,
        "margin": {"l": 70, "r": 20, "t": 40, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "hovermode": "closest",
        "uirevision": revision,
        "legend": {"orientation": "v", "tracegroupgap": 0, "itemsizing": "constant"},
        "annotations": [],
    }


def _place_axes(
    layout: dict[str, Any], panel: Panel, x: str, axis: str, cell: tuple[int, int], cells: tuple[int, int]
) -> None:
    (row, column), (num_rows, num_columns) = cell, cells
    gap_x, gap_y = 0.09, 0.28 / num_rows if num_rows > 1 else 0.0
    width = (1 - gap_x * (num_columns - 1)) / num_columns
    height = (1 - gap_y * (num_rows - 1)) / num_rows
    left, top = column * (width + gap_x), 1 - row * (height + gap_y)
    look = {"gridcolor": "#e6e6e6", "linecolor": "#888", "zeroline": False, "ticks": "outside", "tickcolor": "#888"}
    title = {"text": html.escape(axis_name(x)), "standoff": 8}
    layout[f"xaxis{axis}"] = look | {"domain": [left, min(left + width, 1.0)], "anchor": f"y{axis}", "title": title}
    title = {"text": html.escape(axis_name(panel.y)), "standoff": 8}
    layout[f"yaxis{axis}"] = look | {"domain": [max(top - height, 0.0), top], "anchor": f"x{axis}", "title": title}
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


def _traces(
    line: Line, axis: str, look: dict[str, Any], with_band: bool, seed_budget: int, named: bool
) -> list[dict[str, Any]]:
    """Band, single runs and pooled line of one group, which the legend switches together."""
    label = html.escape(line.label)
    common = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "legendgroup": label, "type": "scatter", "mode": "lines"}
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
    hover = f"<b>{label}</b><br>%{{x:,}}: %{{y:.4g}}<br>%{{customdata}} of {len(line.runs)} seeds<extra></extra>"
    center = {"x": _numbers(pooled.x), "y": _numbers(pooled.center), "customdata": pooled.count.tolist()}
    shown = {"line": look | {"width": 2}, "name": label, "showlegend": named, "mode": mode, "hovertemplate": hover}
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


def _reference(panel: Panel, x: str, axis: str, named: bool) -> list[dict[str, Any]]:
    reference = REFERENCES.get(panel.env_name)
    ends = [line.pooled.x[[0, -1]] for line in panel.lines]
    if reference is None or panel.y != Y_DEFAULT or not ends:
        return []
    low, high = float(np.min(ends)), float(np.max(ends))
    common: dict[str, Any] = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "type": "scatter", "legendgroup": "reference"}
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
        shown = {"name": WAYPOINT_LABEL, "marker": marker, "showlegend": named}
        traces.append(common | places | shown)
    return traces


def _numbers(values: FloatArray | Sequence[float]) -> list[float | None]:
    """Numbers for JSON, which knows no nan."""
    return [value if value == value else None for value in np.asarray(values, dtype=float).tolist()]


def _transparent(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
