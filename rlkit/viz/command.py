"""How the plotting scripts end: results on stdout, wrong input as one line on stderr with exit code 2."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from rlkit.util.errors import EXIT_INTERRUPTED, EXIT_WRONG_INPUT
from rlkit.viz.errors import BadInput


def run_command(command: click.Command) -> NoReturn:
    """Run a click command and exit."""
    try:
        result = command.main(standalone_mode=False)
    except click.ClickException as error:
        fail(error.format_message())
    except BadInput as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(result if isinstance(result, int) else 0)


def fail(message: str) -> NoReturn:
    """Say what is wrong in one line and exit."""
    click.echo("error: " + " ".join(message.split()), err=True)
    sys.exit(EXIT_WRONG_INPUT)
