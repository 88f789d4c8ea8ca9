"""How every command speaks and ends: what it made on stdout, what went wrong in one line on stderr, an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from rlkit.util.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_WRONG_INPUT, RunError, UserError
from rlkit.util.files import user_path
from rlkit.util.text import is_writable, one_line


class Screen(io.TextIOBase):
    """Writes to standard output (or error) for as long as somebody is there; what comes later is lost in silence."""

    def __init__(self, name: str = "stdout") -> None:
        """`name` is that of the stream in `sys`."""
        self._name = name

    def write(self, text: str) -> int:
        stream = getattr(sys, self._name)
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # a closed pipe, or a terminal that hung up
            nowhere = os.open(os.devnull, os.O_WRONLY)  # also for what lies in the stream's buffer
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return len(text)

    def isatty(self) -> bool:
        return bool(getattr(sys, self._name).isatty())

    def fileno(self) -> int:
        return int(getattr(sys, self._name).fileno())


class UserPath(click.Path):
    """A path among a command's words, with `~` expanded: no shell does it within `--json=~/x`."""

    def __init__(self, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(user_path(value), param, ctx)


class Command(click.Command):
    """A click command that ends through `run_command`, wherever it is called from."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run it and, in `standalone_mode`, exit; the arguments are click's."""
        if standalone_mode:
            run_command(self, args, prog_name)
        return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)


def run_command(command: click.Command, args: Sequence[str] | None = None, prog_name: str | None = None) -> NoReturn:
    """Run a command and exit: 2 on wrong input, 1 where a run failed, 130 on Ctrl-C, else what it returns (or 0).

    Without `args` and `prog_name` it has the command line's words and name.
    """
    try:
        for word in sys.argv[1:] if args is None else args:
            if not is_writable(word):
                raise UserError(f"{word}: not UTF-8 text")
        result = command.main(args, prog_name, standalone_mode=False)
    except click.ClickException as error:
        fail(" ".join(error.format_message().split()), EXIT_WRONG_INPUT)
    except UserError as error:
        fail(str(error), EXIT_WRONG_INPUT)
    except RunError as error:
        fail(str(error), EXIT_FAILED)
    except OSError as error:
        fail(os_error_text(error), EXIT_WRONG_INPUT)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(result if isinstance(result, int) else 0)


def fail(message: str, code: int) -> NoReturn:
    say_error(f"error: {message}")
    sys.exit(code)


def say_error(message: str) -> None:
    """Write one line to standard error, if anybody is there."""
    Screen("stderr").write(f"{one_line(message)}\n")


def os_error_text(error: OSError) -> str:
    """What the system says, and of which file."""
    place = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{place}"
