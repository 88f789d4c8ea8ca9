"""Interleaved timing: cases take turns, so that other load on the machine meets all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd
import torch

SECONDS_PER_TURN = 0.05
MIB = 2**20


class Case(NamedTuple):
    """One line of a benchmark: a time beside its limit, in the same unit."""

    value: float
    limit: float
    unit: str
    note: str = ""  # spread, rate, or what was compared
    ratio: float | None = None  # median of the ratios of the rounds, where rounds were taken

    def as_json(self) -> dict[str, float | str]:
        """What `--json` holds of it."""
        return {**self._asdict(), "ratio": self.over_limit}

    def cells(self) -> tuple[str, ...]:
        """Value, limit, ratio, unit and note as they are shown, with three digits at least."""
        sizes = (self.value, self.limit)
        numbers = (f"{size:,.2f}" if size >= 1 or size == 0 else f"{size:.3g}" for size in sizes)
        return (*numbers, f"{self.over_limit:.2f}", self.unit, self.note)

    @property
    def over_limit(self) -> float:
        """Value over limit; 1.0 is the limit."""
        return self.value / self.limit if self.ratio is None else self.ratio


Cases = Iterator[tuple[str, Case]]
"""Lines by name, each as it is measured."""


def spread(rounds: Iterable[float]) -> str:
    """Range of the middle half, in per cent of the median."""
    low, middle, high = statistics.quantiles(rounds, n=4)
    return f"+-{50 * (high - low) / middle:.0f} %"


def interleave(calls: Mapping[str, Callable[[], object]], *, seconds: float, device: torch.device) -> pd.DataFrame:
    """Time `calls` in turns for about `seconds`, after a warm-up; at least five rounds.

    In its turn a short call is repeated until caches and threads are its own, as they are in a run.

    Returns:
        Seconds: a row for each round, a column for each call, by name.
    """
    repeats = dict.fromkeys(calls, 1)
    for name, call in [*calls.items()] * 2:
        repeats[name] = max(1, round(SECONDS_PER_TURN / max(_timed(call, 1, device), 1e-9)))
    turn = sum(repeats[name] * _timed(call, repeats[name], device) for name, call in calls.items())
    return pd.DataFrame(
        {name: _timed(call, repeats[name], device) for name, call in calls.items()}
        for _ in range(max(5, int(seconds / turn)))
    )


def forget_peak(device: torch.device) -> None:
    """Begin to look for the most memory that a GPU uses."""
    if device.type == "cuda":
        gc.collect()  # of graphs, which are in circles
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> str:
    """The most memory of a GPU since then, as the end of a note."""
    return f", at most {torch.cuda.max_memory_allocated(device) / MIB:,.0f} MiB" if device.type == "cuda" else ""


def _timed(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Seconds of one of `repeats` calls."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / repeats
