"""Serve a page that shows the experiments in FOLDER (default: output) and keeps up with running ones."""

from __future__ import annotations

from pathlib import Path

import click

from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import UserError

INSTALL_HINT = "the dashboard needs its extra packages: pip install -e '.[dashboard]'"


@click.command(cls=Command, help=__doc__)
@click.argument("folder", type=UserPath(), default=Path("output"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="0: any free one.")
def main(folder: Path, host: str, port: int) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    try:
        from rlkit.viz.dashboard.app import serve
    except ModuleNotFoundError as error:
        raise UserError(f"{INSTALL_HINT} ({error})") from None
    serve(folder, host, port)


if __name__ == "__main__":
    run_command(main)
