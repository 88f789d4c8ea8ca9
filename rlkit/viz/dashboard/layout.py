"""The page: controls on the left, curves on the right, below them runs, final numbers, config diff and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from rlkit.viz.dashboard.selection import MAX_SMOOTH, Selection
from rlkit.viz.dashboard.tables import ConfigDiff
from rlkit.viz.labels import Y_DEFAULT
from rlkit.viz.stats import STATISTICS

Options = list[dict[str, str]]
STATISTIC_LABELS = {"mean": "mean", "iqm": "interquartile mean"}
SHOW_LABELS = {"band": "95 % band", "seeds": "single seeds", "reference": "reference levels"}
POLL_MS = 3000
MENU_HEIGHT = 420  # pixels
AUTOMATIC = "what differs between the runs"

RUN_COLUMNS: list[dict[str, Any]] = [
    {"field": "name", "headerName": "Run", "flex": 3, "minWidth": 200, "tooltipField": "name"},
    {
        "field": "state",
        "headerName": "State",
        "width": 125,
        "cellClassRules": {
            f"state-{state}": f"params.value === '{state}'"
            for state in ("running", "silent", "finished", "failed", "interrupted")
        },
    },
    {
        "field": "updated",
        "headerName": "Last update",
        "width": 130,
        "valueFormatter": {"function": "params.data.age"},
    },
    {"field": "iteration", "headerName": "Iteration", "width": 105, "type": "rightAligned"},
    {"field": "last", "headerName": "Last value", "width": 120, "type": "rightAligned"},
    {"field": "env_name", "headerName": "Task family", "width": 150},
    {"field": "seed", "headerName": "Seed", "width": 95, "type": "rightAligned"},
    {"field": "problem", "headerName": "Trouble", "flex": 2, "minWidth": 120, "tooltipField": "problem"},
]
FINAL_COLUMNS: list[dict[str, Any]] = [
    {"field": "group", "headerName": "Group", "flex": 1, "minWidth": 160, "tooltipField": "detail"},
    {"field": "panel", "headerName": "Panel", "flex": 1, "minWidth": 120},
    {"field": "column", "headerName": "Column", "flex": 1, "minWidth": 120},
    *(
        {"field": field, "headerName": name, "width": width, "type": "rightAligned"}
        for field, name, width in (
            ("seeds", "Seeds", 80),
            ("x", "At x", 110),
            ("final", "Final", 100),
            ("low", "95 % from", 105),
            ("high", "to", 100),
            ("worst", "Worst seed", 110),
            ("best", "Best seed", 105),
        )
    ),
    {"field": "detail", "headerName": "Differs by", "flex": 2, "minWidth": 200, "tooltipField": "detail"},
]


def page(
    selection: Selection, version: int, columns: Sequence[str], keys: Sequence[str], filters: Sequence[str]
) -> list[Any]:
    """The whole page with the selection set.

    Args:
        selection: what the controls show.
        version: of what is on disk; the page asks for a newer one every POLL_MS.
        columns: that can be an axis.
        keys: config keys, the interesting ones first.
        filters: "key=value" texts.
    """
    return [
        dcc.Store(id="version", data=version),
        dcc.Store(id="query", data=selection.to_query()),
        dcc.Store(id="width"),
        dcc.Interval(id="tick", interval=POLL_MS),
        html.Aside([*_what(selection, columns, keys, filters), *_how(selection)], className="controls"),
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


def options(values: Sequence[str], labels: dict[str, str] | None = None) -> Options:
    return [{"label": (labels or {}).get(value, value), "value": value} for value in values]


def choices(
    selection: Selection, columns: Sequence[str], keys: Sequence[str], filters: Sequence[str]
) -> dict[str, Options]:
    """What each menu offers: all there is, and what is selected even if no run has it (yet)."""
    offered = {
        "y": [*columns, *selection.y, Y_DEFAULT],
        "x": [*columns, selection.x],
        "group": [*keys, *selection.group],
        "split": [*keys, *selection.split],
        "filter": [*filters, *selection.filter],
    }
    return {menu: options(list(dict.fromkeys(values))) for menu, values in offered.items()}


def _what(selection: Selection, columns: Sequence[str], keys: Sequence[str], filters: Sequence[str]) -> list[Any]:
    """Which columns of which runs are drawn."""
    offered = choices(selection, columns, keys, filters)
    many: dict[str, Any] = {"multi": True, "maxHeight": MENU_HEIGHT}
    return [
        html.H1("Experiments"),
        _labelled("y axis", dcc.Dropdown(offered["y"], list(selection.y), id="y", **many)),
        _labelled("x axis", dcc.Dropdown(offered["x"], selection.x, id="x", clearable=False, maxHeight=MENU_HEIGHT)),
        _labelled(
            "Group by",
            dcc.Dropdown(offered["group"], list(selection.group), id="group", placeholder=AUTOMATIC, **many),
        ),
        _labelled(
            "Split into panels by",
            dcc.Dropdown(offered["split"], list(selection.split), id="split", placeholder="task family", **many),
        ),
        _labelled(
            "Only runs with",
            dcc.Dropdown(offered["filter"], list(selection.filter), id="filter", placeholder="all runs", **many),
        ),
        _labelled(
            "Name contains",
            dcc.Input(id="search", value=selection.search, type="text", debounce=0.4, className="text-input"),
        ),
    ]


def _how(selection: Selection) -> list[Any]:
    """How the curves are pooled and drawn, and the link to all that."""
    return [
        _labelled(
            "Seeds pooled by",
            dcc.RadioItems(options(STATISTICS, STATISTIC_LABELS), selection.statistic, id="statistic"),
        ),
        _labelled("Show", dcc.Checklist(options(list(SHOW_LABELS), SHOW_LABELS), list(selection.show), id="show")),
        _labelled(
            "Moving average over points",
            dcc.Input(
                id="smooth",
                value=selection.smooth,
                type="number",
                min=1,
                max=MAX_SMOOTH,
                step=1,
                className="text-input",
            ),
        ),
        html.Div(
            [
                html.A("Link to this selection", id="link", href="/"),
                dcc.Clipboard(id="copy", title="copy the link", className="copy"),
            ],
            className="share",
        ),
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


def media_gallery(media: Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]) -> Any:
    """Pictures and videos: for each run its name and (file name, url, is it a video)."""
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


def _medium(name: str, url: str, is_video: bool) -> Any:
    shown = html.Video(src=url, controls=True, preload="none") if is_video else html.Img(src=url, alt=name)
    return html.Figure([html.A(shown, href=url, target="_blank"), html.Figcaption(name)])
