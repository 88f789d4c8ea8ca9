"""Listening: the dashboard behind a plain threaded HTTP server."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

import click
from werkzeug.serving import make_server

from rlkit.util.errors import UserError
from rlkit.viz.dashboard.access import is_loopback
from rlkit.viz.dashboard.app import create_app, prepare
from rlkit.viz.dashboard.store import RunStore


def serve(folder: Path, host: str, port: int) -> None:
    """Serve the dashboard of a folder until interrupted.

    Raises:
        UserError: the address cannot be listened on.
    """
    local = is_loopback(host)
    store = RunStore(folder)
    app = create_app(store, hosts=("localhost",) if local else ())
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
