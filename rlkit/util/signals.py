"""StopSignal: SIGINT and SIGTERM as a request that the run looks at between its steps."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from rlkit.util.errors import StopRequested


class StopSignal:
    """Catches the first SIGINT or SIGTERM inside its block; a second SIGINT stops the program at once.

    SIGHUP, which a terminal sends that is closed, is ignored: the run goes on. Where Python delivers no signals, in
    a thread that is not the main one, nothing is caught.

    Attributes:
        received: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def check(self) -> None:
        """Stop here if a signal came.

        Raises:
            StopRequested: a signal came.
        """
        if self.received is not None:
            raise StopRequested(self.received)

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is not threading.main_thread():
            return self
        for kind in (signal.SIGINT, signal.SIGTERM):
            self._before[kind] = signal.signal(kind, self._note)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            os._exit(128 + number)
        self.received = signal.Signals(number)
