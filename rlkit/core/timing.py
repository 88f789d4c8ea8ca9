"""Wall-clock of the phases of an iteration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("sample", "train", "eval")


class PhaseTimer:
    """Adds up seconds by phase until an iteration is closed."""

    def __init__(self, total: float = 0.0) -> None:
        """Start the clock; `total` seconds went before."""
        self._spent = dict.fromkeys(PHASES, 0.0)
        self._total = total
        self._epoch_start = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block as `name`."""
        start = time.perf_counter()
        yield
        self._spent[name] += time.perf_counter() - start

    def close_iteration(self) -> dict[str, float]:
        """Seconds by phase, of the whole iteration ("epoch") and since the start ("total"); begins the next one."""
        now = time.perf_counter()
        epoch = now - self._epoch_start
        self._total += epoch
        times = {**self._spent, "epoch": epoch, "total": self._total}
        self._spent = dict.fromkeys(PHASES, 0.0)
        self._epoch_start = now
        return times
