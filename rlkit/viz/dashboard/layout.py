"""The page: controls on the left, curves on the right, below them runs, final numbers, config diff and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from rlkit.viz.dashboard.access import VIDEOS, media_below
from rlkit.viz.dashboard.selection import MAX_SMOOTH, SHOWABLE, Selection, filter_choices
from rlkit.viz.dashboard.tables import ConfigDiff
from rlkit.viz.grouping import differing_keys
from rlkit.viz.labels import Y_DEFAULT
from rlkit.viz.run_reader import RunReader, all_columns
from rlkit.viz.stats import STATISTICS

Options = list[dict[str, str]]
POLL_MS = 3000
MENU_HEIGHT = 420  # pixels
MENUS: dict[str, tuple[str, dict[str, Any]]] = {
    "y": ("y axis", {"multi": True}),
    "x": ("x axis", {"clearable": False}),
    "group": ("Group by", {"multi": True, "placeholder": "what differs between the runs"}),
    "split": ("Split into panels by", {"multi": True, "placeholder": "task family"}),
    "filter": ("Only runs with", {"multi": True, "placeholder": "all runs"}),
}
MAX_RUNS_WITH_MEDIA = 12
COLOURED_STATES = ("running", "silent", "finished", "failed", "interrupted")
STATE_CLASSES = {f"state-{state}": f"params.value === '{state}'" for state in COLOURED_STATES}
NUMBER = {"type": "rightAligned"}
AGE = {"function": "params.data.age"}

RUN_COLUMNS: list[dict[str, Any]] = [
    {"field": "name", "headerName": "Run", "flex": 3, "minWidth": 200, "tooltipField": "name"},
    {"field": "state", "headerName": "State", "width": 125, "cellClassRules": STATE_CLASSES},
    {"field": "updated", "headerName": "Last update", "width": 130, "valueFormatter": AGE},
    {"field": "iteration", "headerName": "Iteration", "width": 105, **NUMBER},
    {"field": "last", "headerName": "Last value", "width": 120, **NUMBER},
    {"field": "env_name", "headerName": "Task family", "width": 150},
    {"field": "seed", "headerName": "Seed", "width": 95, **NUMBER},
    {"field": "problem", "headerName": "Trouble", "flex": 2, "minWidth": 120, "tooltipField": "problem"},
]
FINAL_COLUMNS: list[dict[str, Any]] = [
    {"field": "group", "headerName": "Group", "flex": 1, "minWidth": 160, "tooltipField": "detail"},
    {"field": "panel", "headerName": "Panel", "flex": 1, "minWidth": 120},
    {"field": "column", "headerName": "Column", "flex": 1, "minWidth": 120},
    {"field": "seeds", "headerName": "Seeds", "width": 80, **NUMBER},
    {"field": "x", "headerName": "At x", "width": 110, **NUMBER},
    {"field": "final", "headerName": "Final", "width": 100, **NUMBER},
    {"field": "low", "headerName": "95 % from", "width": 105, **NUMBER},
    {"field": "high", "headerName": "to", "width": 100, **NUMBER},
    {"field": "worst", "headerName": "Worst seed", "width": 110, **NUMBER},
    {"field": "best", "headerName": "Best seed", "width": 105, **NUMBER},
    {"field": "detail", "headerName": "Differs by", "flex": 2, "minWidth": 200, "tooltipField": "detail"},
]


def page(selection: Selection, version: int, runs: Sequence[RunReader]) -> list[Any]:
    """The whole page with the selection set; it asks for a newer `version` of what is on disk every POLL_MS."""
    return [
        dcc.Store(id="version", data=version),
        dcc.Store(id="query", data=selection.to_query()),
        dcc.Store(id="width"),
        dcc.Interval(id="tick", interval=POLL_MS),
        html.Aside([html.H1("Experiments"), *_menus(selection, runs), *_others(selection)], className="controls"),
        html.Main(
            [
                html.Div(id="message", className="message"),
                dcc.Graph(
                    id="curves",
                    config={"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": "curves"}},
                    figure={"data": [], "layout": {"height": 450}},
                ),
                dcc.Tabs(
                    [
                        dcc.Tab(_runs_table(selection), label="Runs", value="runs"),
                        dcc.Tab(_final_table(), label="Final numbers", value="final"),
                        dcc.Tab(html.Div(id="diff"), label="Config differences", value="diff"),
                        dcc.Tab(html.Div(id="media"), label="Pictures and videos", value="media"),
                    ],
                    id="tabs",
                    value="runs",
                ),
            ]
        ),
    ]


def choices(selection: Selection, runs: Sequence[RunReader]) -> dict[str, Options]:
    """What each menu offers: all there is, and what is selected even if no run has it (yet)."""
    columns = all_columns(runs)
    keys = [*differing_keys(runs), "seed", *dict.fromkeys(key for run in runs for key in run.config)]
    offered = {
        "y": [*columns, *selection.y, Y_DEFAULT],
        "x": [*columns, selection.x],
        "group": [*keys, *selection.group],
        "split": [*keys, *selection.split],
        "filter": [*filter_choices(runs), *selection.filter],
    }
    return {menu: _options({value: value for value in values}) for menu, values in offered.items()}


def _options(labels: Mapping[str, str]) -> Options:
    return [{"label": label, "value": value} for value, label in labels.items()]


def _menus(selection: Selection, runs: Sequence[RunReader]) -> list[Any]:
    """Which columns of which runs are drawn."""
    offered = choices(selection, runs)
    controls = []
    for menu, (text, look) in MENUS.items():
        chosen = getattr(selection, menu)
        value = list(chosen) if "multi" in look else chosen
        controls.append(_labelled(text, dcc.Dropdown(offered[menu], value, id=menu, maxHeight=MENU_HEIGHT, **look)))
    return controls


def _others(selection: Selection) -> list[Any]:
    """Which of the runs, how their curves are pooled and drawn, and the link to all that."""
    search = dcc.Input(id="search", value=selection.search, type="text", debounce=0.4, className="text-input")
    smooth = dcc.Input(
        id="smooth", value=selection.smooth, type="number", min=1, max=MAX_SMOOTH, step=1, className="text-input"
    )
    link = html.A("Link to this selection", id="link", href="/")
    copy = dcc.Clipboard(id="copy", title="copy the link", className="copy")
    return [
        _labelled("Name contains", search),
        _labelled("Seeds pooled by", dcc.RadioItems(_options(STATISTICS), selection.statistic, id="statistic")),
        _labelled("Show", dcc.Checklist(_options(SHOWABLE), list(selection.show), id="show")),
        _labelled("Moving average over points", smooth),
        html.Div([link, copy], className="share"),
    ]


def _labelled(text: str, control: Any) -> Any:
    return html.Div([html.Label(text), control], className="control")


def _runs_table(selection: Selection) -> Any:
    hint = "Tick runs to compare them; with none ticked, all runs listed are drawn."
    return html.Div(
        [
            html.P([hint, " ", html.Span(id="count")], className="hint"),
            dag.AgGrid(
                id="runs",
                columnDefs=RUN_COLUMNS,
                rowData=[],
                getRowId="params.data.name",
                selectedRows={"ids": list(selection.runs)},
                defaultColDef={"sortable": True, "resizable": True, "filter": False},
                dashGridOptions={
                    "rowSelection": {"mode": "multiRow", "headerCheckbox": True, "enableClickSelection": False},
                    "animateRows": False,
                    "tooltipShowDelay": 300,
                },
                className="ag-theme-quartz grid",
            ),
        ]
    )


def _final_table() -> Any:
    return dag.AgGrid(
        id="final",
        columnDefs=FINAL_COLUMNS,
        rowData=[],
        defaultColDef={"sortable": True, "resizable": True},
        dashGridOptions={"enableCellTextSelection": True, "animateRows": False},
        className="ag-theme-quartz grid",
    )


def diff_table(diff: ConfigDiff) -> Any:
    """The settings in which runs differ, a column per run; those of whole families are folded below."""
    if len(diff.names) < 2:
        return html.P("Tick at least two runs.", className="hint")
    if not diff.rows and not diff.by_family:
        return html.P(f"The {len(diff.names)} runs have the same config.", className="hint")
    parts = [_settings_table(diff.names, diff.rows)] if diff.rows else []
    if diff.by_family:
        summary = html.Summary(f"{len(diff.by_family)} settings that all runs of a task family share")
        folded = html.Details([summary, _settings_table(diff.families, diff.by_family)], open=not diff.rows)
        parts.append(html.Div(folded, className="families"))
    return html.Div(parts, className="scroll")


def _settings_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Values by setting and name; those that are not the most frequent one of their row stand out."""
    head = html.Thead(html.Tr([html.Th("Setting"), *(html.Th(name) for name in names)]))
    body = []
    for key, *values in rows:
        usual, count = Counter(values).most_common(1)[0]
        differs = ["differs" if count == 1 or value != usual else "" for value in values]
        cells = [html.Td(value, className=name) for value, name in zip(values, differs, strict=True)]
        body.append(html.Tr([html.Th(key), *cells]))
    return html.Table([head, html.Tbody(body)], className="diff")


def media_gallery(runs: Sequence[RunReader], root: Path) -> Any:
    """Pictures and videos of the first runs, which lie below `root`."""
    media = [(run.name, media_below(run.path, root)) for run in runs[:MAX_RUNS_WITH_MEDIA]]
    if not any(files for _, files in media):
        hint = "No pictures or videos yet: a run draws its own at its end, or `scripts/plot.py RUN --report` does."
        return html.P(hint, className="hint")
    return html.Div(
        [
            html.Section([html.H3(name), html.Div([_medium(*file) for file in files], className="gallery")])
            for name, files in media
            if files
        ]
    )


def _medium(name: str, url: str) -> Any:
    is_video = name.lower().endswith(VIDEOS)
    shown = html.Video(src=url, controls=True, preload="none") if is_video else html.Img(src=url, alt=name)
    return html.Figure([html.A(shown, href=url, target="_blank"), html.Figcaption(name)])
