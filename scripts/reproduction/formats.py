"""How numbers are written on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from reproduction.results import Estimate


def number(value: float, like: float | None = None) -> str:
    """A return with three digits or all before the point, with as many decimals as `like` would get."""
    size = abs(value if like is None else like)
    return f"{value:.{2 if size < 10 else 1 if size < 100 else 0}f}"


def with_band(estimate: Estimate) -> str:
    """A value and, of several seeds, its band."""
    center, low, high = (number(value, like=estimate.center) for value in estimate)
    return f"**{center}**" + ("" if math.isnan(estimate.low) else f" ({low} to {high})")


def steps(count: float) -> str:
    """Environment steps as 210k or 1.50M."""
    return f"{count / 1e6:.2f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"


def durations(seconds: Sequence[float]) -> str:
    """The median and, of several, the range; in minutes up to an hour and a half, then in hours."""
    size, unit = (60, "min") if median(seconds) < 5400 else (3600, "h")
    middle, low, high = (f"{value / size:.1f}" for value in (median(seconds), min(seconds), max(seconds)))
    return f"{middle} {unit}" + (f" ({low} to {high})" if len(seconds) > 1 else "")
