"""Standard output and error as a long run needs them: they may go away, and it goes on."""

from __future__ import annotations

import io
import os
import sys


class Screen(io.TextIOBase):
    """Writes to standard output (or error) for as long as somebody is there; what comes later is lost in silence."""

    def __init__(self, name: str = "stdout") -> None:
        """`name` is that of the stream in `sys`."""
        self._name = name

    def write(self, text: str) -> int:
        """Write, and flush."""
        stream = getattr(sys, self._name)
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # a closed pipe, or a terminal that hung up
            _lead_nowhere(stream)
        return len(text)

    def isatty(self) -> bool:
        return bool(getattr(sys, self._name).isatty())

    def fileno(self) -> int:
        return int(getattr(sys, self._name).fileno())


def _lead_nowhere(stream: io.TextIOBase) -> None:
    """Let what is written from now on, and what lies in the stream's buffer, vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
