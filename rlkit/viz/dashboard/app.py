"""The Dash application: which callback draws what when a control or the disk changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
from dash import Input, Output, State, dcc, html, no_update

from rlkit.viz.curves import CurveOptions, Panel, build_panels
from rlkit.viz.dashboard import layout
from rlkit.viz.dashboard.access import restrict_access
from rlkit.viz.dashboard.figures import make_figure
from rlkit.viz.dashboard.files import VIDEOS, add_file_route, media_below
from rlkit.viz.dashboard.selection import MAX_SMOOTH, Selection, filter_choices, matching
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.dashboard.tables import config_diff, final_rows, run_rows
from rlkit.viz.grouping import differing_keys
from rlkit.viz.labels import Y_DEFAULT
from rlkit.viz.run_reader import RunReader

MAX_POINTS, MAX_POINTS_OF_MANY = 200, 120  # of a pooled line
MANY_RUNS = 300
MAX_RESAMPLES, MIN_RESAMPLES = 1000, 150
RESAMPLED_NUMBERS = {"mean": 50_000_000, "iqm": 15_000_000}  # per drawing: what takes well under a second
MAX_RUNS_WITH_MEDIA = 12
CONTROLS = ("x", "y", "group", "split", "filter", "search", "statistic", "smooth", "show")
MENUS = ("x", "y", "group", "split", "filter")

USUAL_WIDTH = 1180  # pixels of the figure, until the page tells

MEASURE = """(_, before) => {
    const width = Math.floor(document.querySelector("main").clientWidth - 32);
    return width === before ? window.dash_clientside.no_update : width;
}"""

SHOW_LINK = """(query) => {
    const href = window.location.origin + window.location.pathname + query;
    window.history.replaceState(null, "", href);
    return [href, href];
}"""


def create_app(store: RunStore, hosts: Sequence[str] = ()) -> dash.Dash:
    """The dashboard of a folder.

    Args:
        store: of the folder; looked through again and again.
        hosts: names besides the loopback ones by which the page may be asked for; none: any.
    """
    app = dash.Dash(
        __name__, title="Experiments", update_title="", suppress_callback_exceptions=True, serve_locally=True
    )
    app.layout = html.Div(
        [
            dcc.Location(id="url", refresh=False),
            html.Div(id="page", className="page"),
            # Never seen: with it the browser fetches the plotting code while the server still reads.
            html.Div(dcc.Graph(id="preload"), hidden=True),
        ]
    )
    restrict_access(app.server, hosts)
    add_file_route(app.server, store.root)
    _keep_page_current(app, store)
    _list_runs(app, store)
    _draw_curves(app, store)
    _compare_runs(app, store)
    return app


def _keep_page_current(app: dash.Dash, store: RunStore) -> None:
    """Build the page from its link; look for news on disk and offer what is new in the menus."""

    @app.callback(Output("page", "children"), Input("url", "search"))
    def show_page(search: str | None) -> Any:
        version = store.scan()
        runs = store.runs()
        return layout.page(
            Selection.from_query(search or ""), version, store.columns(), _config_keys(runs), filter_choices(runs)
        )

    @app.callback(Output("version", "data"), Input("tick", "n_intervals"), State("version", "data"))
    def look_for_news(_: int | None, version: int) -> Any:
        news = store.scan()
        return news if news != version else no_update

    @app.callback(
        *(Output(menu, "options") for menu in MENUS),
        Input("version", "data"),
        *(State(name, "value") for name in CONTROLS),
        prevent_initial_call=True,
    )
    def offer_choices(_: int, *values: Any) -> Any:
        runs = store.runs()
        offered = layout.choices(
            _selection([*values, None]), store.columns(), _config_keys(runs), filter_choices(runs)
        )
        return [offered[menu] for menu in MENUS]


def _list_runs(app: dash.Dash, store: RunStore) -> None:
    """The table of all runs that pass the filter."""

    @app.callback(
        Output("runs", "rowData"),
        Output("count", "children"),
        Input("version", "data"),
        Input("filter", "value"),
        Input("search", "value"),
        Input("y", "value"),
    )
    def list_runs(_: int, filters: list[str] | None, search: str | None, y: list[str] | None) -> Any:
        listed = matching(store.runs(), filters or [], search or "")
        return run_rows(store, listed, (y or [Y_DEFAULT])[0]), f"{len(listed)} of {len(store.runs())} runs."


def _draw_curves(app: dash.Dash, store: RunStore) -> None:
    """The figure, its final numbers, what is amiss, and the link; from every control and the ticked runs."""

    @app.callback(
        Output("curves", "figure"),
        Output("final", "rowData"),
        Output("message", "children"),
        Output("query", "data"),
        Input("version", "data"),
        *(Input(name, "value") for name in CONTROLS),
        Input("runs", "selectedRows"),
        Input("width", "data"),
    )
    def draw(_: int, *values: Any) -> Any:
        selection = _selection(values)
        chosen = chosen_runs(store, selection)
        panels = draw_panels(store, chosen, selection)
        revision = f"{selection.x} {selection.y}"
        width = values[-1] if isinstance(values[-1], int) else USUAL_WIDTH
        figure = make_figure(panels, selection.x, len(selection.y), selection.show, revision, width)
        store.warm()
        return figure, final_rows(panels), message(store, chosen, panels), selection.to_query()

    app.clientside_callback(MEASURE, Output("width", "data"), Input("tick", "n_intervals"), State("width", "data"))
    app.clientside_callback(
        SHOW_LINK,
        Output("link", "href"),
        Output("copy", "content"),
        Input("query", "data"),
        prevent_initial_call=True,
    )


def _compare_runs(app: dash.Dash, store: RunStore) -> None:
    """Config differences and pictures of the ticked runs, made when their tab is opened."""

    @app.callback(
        Output("diff", "children"),
        Output("media", "children"),
        Input("tabs", "value"),
        Input("runs", "selectedRows"),
        Input("version", "data"),
        State("filter", "value"),
        State("search", "value"),
    )
    def compare(tab: str, ticked: Any, _: int, filters: list[str] | None, search: str | None) -> Any:
        selection = Selection(filter=tuple(filters or ()), search=search or "", runs=_ticked_names(ticked))
        if tab == "diff":
            return layout.diff_table(config_diff(chosen_runs(store, selection))), no_update
        if tab == "media":
            return no_update, layout.media_gallery(_media(store, chosen_runs(store, selection)))
        return no_update, no_update


def chosen_runs(store: RunStore, selection: Selection) -> list[RunReader]:
    """The ticked runs, or where none is ticked all that pass the filter."""
    listed = matching(store.runs(), selection.filter, selection.search)
    ticked = set(selection.runs)
    return [run for run in listed if run.name in ticked] or listed


def prepare(store: RunStore) -> None:
    """Read the folder and pool what the first page shows, while the browser is still loading the page's code."""
    store.scan()
    draw_panels(store, store.runs(), Selection())


def draw_panels(store: RunStore, chosen: Sequence[RunReader], selection: Selection) -> list[Panel]:
    """The pooled curves of a selection; with many runs from fewer resamples, so that the page stays quick."""
    max_points = MAX_POINTS if len(chosen) <= MANY_RUNS else MAX_POINTS_OF_MANY
    per_resample = max(1, len(chosen) * len(selection.y) * max_points)
    options = CurveOptions(
        x=selection.x,
        ys=selection.y,
        group=selection.group or None,
        split=selection.split,
        statistic=selection.statistic,
        smooth=selection.smooth,
        max_points=max_points,
        num_resamples=min(max(RESAMPLED_NUMBERS[selection.statistic] // per_resample, MIN_RESAMPLES), MAX_RESAMPLES),
    )
    return build_panels([run for run in chosen if run.progress.num_rows], options, store.line)


def message(store: RunStore, chosen: Sequence[RunReader], panels: Sequence[Panel]) -> str:
    """What the curves do not show, in a line; "" if there is nothing to say."""
    if not store.runs():
        return f"No experiments in {store.root} yet: this page shows them as they come."
    if not chosen:
        return "No run passes the filter."
    troubled = [run for run in chosen if run.problems]
    texts = []
    if not any(panel.lines for panel in panels):
        texts.append("None of these runs has points to draw.")
    if troubled:
        texts.append(
            f"{len(troubled)} of {len(chosen)} runs with trouble: {troubled[0].name}: {troubled[0].problems[0]}."
        )
    return " ".join(texts)


def _selection(values: Sequence[Any]) -> Selection:
    """The controls' values, whatever a page sends, as a selection."""
    given = dict(zip(CONTROLS, values, strict=False))
    default = Selection()
    smooth = given["smooth"]
    return Selection(
        x=given["x"] or default.x,
        y=tuple(given["y"] or default.y),
        group=tuple(given["group"] or ()),
        split=tuple(given["split"] or ()),
        filter=tuple(given["filter"] or ()),
        search=given["search"] or "",
        runs=_ticked_names(values[len(CONTROLS)]),
        statistic=given["statistic"] or default.statistic,
        smooth=min(max(int(smooth), 1), MAX_SMOOTH) if smooth else 1,
        show=tuple(given["show"] or ()),
    )


def _ticked_names(ticked: Any) -> tuple[str, ...]:
    """Names of ticked rows: ids before the table is drawn, whole rows afterwards."""
    if isinstance(ticked, dict):
        return tuple(ticked.get("ids", ()))
    return tuple(row["name"] for row in ticked or ())


def _config_keys(runs: Sequence[RunReader]) -> list[str]:
    """All config keys, those that differ first."""
    every = (key for run in runs for key in run.config)
    return list(dict.fromkeys([*differing_keys(runs), "seed", *every]))


def _media(store: RunStore, runs: Sequence[RunReader]) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    return [
        (run.name, [(name, url, name.lower().endswith(VIDEOS)) for name, url in media_below(run.path, store.root)])
        for run in runs[:MAX_RUNS_WITH_MEDIA]
    ]
