"""Wall-clock of the phases of an iteration, and how a time is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PHASES = ("sample", "train", "eval")


class PhaseTimer:
    """Adds up seconds by phase until an iteration is closed."""

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        """Start the clock; `before` is the `state` of a timer that this one goes on from."""
        self._seconds = dict.fromkeys((*PHASES, "epoch", "total"), 0.0) | dict(before or {})
        self._start = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block as `name`, however it ends."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - start

    def state(self) -> dict[str, float]:
        """Seconds by phase, of the iteration so far ("epoch") and since the start ("total")."""
        running = time.perf_counter() - self._start
        return self._seconds | {name: self._seconds[name] + running for name in ("epoch", "total")}

    def close_iteration(self) -> dict[str, float]:
        """The state at the end of an iteration; begins the next one."""
        times = self.state()
        self._seconds = dict.fromkeys(times, 0.0) | {"total": times["total"]}
        self._start = time.perf_counter()
        return times


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
