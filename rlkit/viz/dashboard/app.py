"""The Dash application: which callback draws what when a control or the disk changes; and the server behind it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import dash
from dash import Input, Output, State, dcc, html, no_update
from werkzeug.serving import make_server

from rlkit.util.errors import UserError
from rlkit.viz.curves import CurveOptions, Panel, build_panels
from rlkit.viz.dashboard import layout
from rlkit.viz.dashboard.access import add_file_route, is_loopback, restrict_access
from rlkit.viz.dashboard.figures import USUAL_WIDTH, make_figure
from rlkit.viz.dashboard.selection import Selection, matching
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.dashboard.tables import config_diff, final_rows, run_rows
from rlkit.viz.labels import Y_DEFAULT
from rlkit.viz.run_reader import RunReader

MAX_POINTS, MAX_POINTS_OF_MANY = 200, 120  # of a pooled line
MANY_RUNS = 300
MAX_RESAMPLES, MIN_RESAMPLES = 1000, 150
RESAMPLED_NUMBERS = {"mean": 50_000_000, "iqm": 15_000_000}  # per drawing: what takes well under a second
CONTROLS = ("x", "y", "group", "split", "filter", "search", "statistic", "smooth", "show")

MEASURE = """(_, before) => {
    const width = Math.floor(document.querySelector("main").clientWidth - 32);
    return width === before ? window.dash_clientside.no_update : width;
}"""

SHOW_LINK = """(query) => {
    const href = window.location.origin + window.location.pathname + query;
    window.history.replaceState(null, "", href);
    return [href, href];
}"""


def serve(folder: Path, host: str, port: int) -> None:
    """Serve the dashboard of a folder until interrupted.

    Raises:
        UserError: the address cannot be listened on.
    """
    local = is_loopback(host)
    store = RunStore(folder)
    app = create_app(store, local_only=local)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line per request
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(f"cannot listen on {host}, port {port}: {error.strerror}; choose another --port") from None
    server = make_server(host, port, app.server, threaded=True, fd=listener.fileno())
    threading.Thread(target=prepare, args=(store,), name="first look", daemon=True).start()
    if not local:
        click.echo(f"warning: whoever can reach {host} can see everything in {folder}", err=True)
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"experiments in {folder}: http://{shown}:{listener.getsockname()[1]}/ (Ctrl-C ends it)")
    server.serve_forever()


def prepare(store: RunStore) -> None:
    """Read the folder and pool what the first page shows, while the browser is still loading the page's code."""
    store.scan()
    draw_panels(store, store.runs(), Selection())


def create_app(store: RunStore, *, local_only: bool) -> dash.Dash:
    """The dashboard of a folder; see `restrict_access` for `local_only`."""
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
    restrict_access(app.server, local_only=local_only)
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
        return layout.page(Selection.from_query(search or ""), version, store.runs())

    @app.callback(Output("version", "data"), Input("tick", "n_intervals"), State("version", "data"))
    def look_for_news(_: int | None, version: int) -> Any:
        news = store.scan()
        return news if news != version else no_update

    @app.callback(
        *(Output(menu, "options") for menu in layout.MENUS),
        Input("version", "data"),
        *(State(name, "value") for name in CONTROLS),
        prevent_initial_call=True,
    )
    def offer_choices(_: int, *values: Any) -> Any:
        offered = layout.choices(_selection(values), store.runs())
        return [offered[menu] for menu in layout.MENUS]


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
        *controls, ticked, width = values
        selection = _selection(controls, ticked)
        chosen = chosen_runs(store, selection)
        panels = draw_panels(store, chosen, selection)
        revision = f"{selection.x} {selection.y}"
        width = width if isinstance(width, int) else USUAL_WIDTH
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
        if tab not in ("diff", "media"):
            return no_update, no_update
        selection = Selection.of({"filter": filters, "search": search, "runs": _ticked_names(ticked)})
        chosen = chosen_runs(store, selection)
        if tab == "diff":
            return layout.diff_table(config_diff(chosen)), no_update
        return no_update, layout.media_gallery(chosen, store.root)


def chosen_runs(store: RunStore, selection: Selection) -> list[RunReader]:
    """The ticked runs, or where none is ticked all that pass the filter."""
    listed = matching(store.runs(), selection.filter, selection.search)
    ticked = set(selection.runs)
    return [run for run in listed if run.name in ticked] or listed


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
        reference="reference" in selection.show,
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
    texts = [] if any(panel.lines for panel in panels) else ["None of these runs has points to draw."]
    if troubled := [run for run in chosen if run.problems]:
        first = f"{troubled[0].name}: {troubled[0].problems[0]}"
        texts.append(f"{len(troubled)} of {len(chosen)} runs with trouble: {first}.")
    return " ".join(texts)


def _selection(values: Sequence[Any], ticked: Any = None) -> Selection:
    """What the controls and the table of runs say, whatever a page sends."""
    return Selection.of({**dict(zip(CONTROLS, values, strict=True)), "runs": _ticked_names(ticked)})


def _ticked_names(ticked: Any) -> Sequence[str]:
    """Names of ticked rows: ids before the table is drawn, whole rows afterwards."""
    if isinstance(ticked, dict):
        return ticked.get("ids", ())
    return [row["name"] for row in ticked or ()]
