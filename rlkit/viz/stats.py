"""From the curves of several seeds to one line with a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
STATISTICS = ("mean", "iqm")
CONFIDENCE = 0.95
IQM_CUT = 0.25  # share cut off at each end: the mean of the middle half
MAX_POINTS = 400  # of a common grid
SCIPY_BATCH_NUMBERS = 4_000_000  # resampled numbers held at once


@dataclass(frozen=True)
class Curve:
    """One run's finite points, x strictly increasing; both (points,)."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Pooled:
    """Several seeds as one curve; all arrays (points,).

    Attributes:
        x: the common grid.
        center: mean or interquartile mean over the seeds that reach x.
        low, high: 95 % bootstrap band; nan where fewer than two seeds reach x.
        count: how many seeds reach x.
    """

    x: FloatArray
    center: FloatArray
    low: FloatArray
    high: FloatArray
    count: npt.NDArray[np.int64]


def clean_curve(x: FloatArray, y: FloatArray, smooth: int = 1) -> Curve:
    """Drop points that are not finite, sort by x, keep the last of equal x, then smooth over `smooth` points."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    is_last = np.append(x[1:] != x[:-1], True)[: len(x)]
    return Curve(x[is_last], moving_average(y[is_last], smooth))


def moving_average(y: FloatArray, window: int) -> FloatArray:
    """Centred mean over `window` points (an even window counts as the next odd one), over fewer at the ends."""
    half = min(window // 2, max(len(y) - 1, 0))
    if half == 0:
        return y
    total = np.concatenate([[0.0], np.cumsum(y)])
    at = np.arange(len(y))
    reach = np.minimum(half, np.minimum(at, len(y) - 1 - at))  # symmetric, so that the ends do not lag
    return (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)


def common_grid(curves: Sequence[Curve], max_points: int = MAX_POINTS) -> FloatArray:
    """Where curves of unequal length and spacing are compared.

    The grid spans all x that at least half of the curves reach. It is the points themselves where they are few,
    else evenly spaced.
    """
    needed = (len(curves) + 1) // 2
    start = np.sort([curve.x[0] for curve in curves])[needed - 1]
    stop = np.sort([curve.x[-1] for curve in curves])[-needed]
    points = np.unique(np.concatenate([curve.x for curve in curves]))
    points = points[(points >= start) & (points <= stop)]
    return points if len(points) <= max_points else np.linspace(start, stop, max_points)


def on_grid(curves: Sequence[Curve], grid: FloatArray) -> FloatArray:
    """Linear interpolation of each curve, nan outside its own range: (curves, points)."""
    return np.array([np.interp(grid, curve.x, curve.y, left=np.nan, right=np.nan) for curve in curves])


def pool(
    curves: Sequence[Curve], statistic: str = "mean", max_points: int = MAX_POINTS, num_resamples: int = 2000
) -> Pooled:
    """Pool the seeds' curves; a curve without points counts for nothing.

    The band is that of resampling whole seeds, each segment of x from the seeds that reach it.
    """
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        nothing = np.empty(0)
        return Pooled(nothing, nothing, nothing, nothing, np.empty(0, dtype=np.int64))
    grid = common_grid(curves, max_points)
    values = on_grid(curves, grid)
    reached = np.isfinite(values)
    center, low, high = (np.full(len(grid), np.nan) for _ in range(3))
    for pattern in np.unique(reached, axis=1).T:
        here = (reached == pattern[:, None]).all(axis=0)
        present = values[pattern][:, here]
        if len(present):
            center[here] = average(present, statistic)
            low[here], high[here] = bootstrap_band(present, statistic, num_resamples)
    return Pooled(grid, center, low, high, reached.sum(axis=0))


def average(values: FloatArray, statistic: str) -> FloatArray:
    """Mean or interquartile mean over the first axis: (seeds, points) to (points,)."""
    if statistic == "mean":
        return np.asarray(values.mean(axis=0))
    from scipy.stats import trim_mean

    return np.asarray(trim_mean(values, IQM_CUT, axis=0))


def bootstrap_band(
    values: FloatArray, statistic: str, num_resamples: int = 2000, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval of the statistic over the first axis, (seeds, points) to two of (points,).

    Whole seeds are drawn with replacement, the same ones at every point. One seed alone gives nan.
    """
    num_seeds, num_points = values.shape
    if num_seeds < 2:
        return np.full(num_points, np.nan), np.full(num_points, np.nan)
    rng = np.random.default_rng(seed)
    if statistic == "mean":
        # How often each seed is drawn is multinomial, and a product with it is every resample's mean at once.
        draws = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples)
        tail = 50 * (1 - CONFIDENCE)
        low, high = np.percentile(draws @ values / num_seeds, [tail, 100 - tail], axis=0)
        return low, high
    return _scipy_band(values, statistic, num_resamples, rng)


def _scipy_band(
    values: FloatArray, statistic: str, num_resamples: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    from scipy.stats import bootstrap

    interval = bootstrap(
        (values.T,),
        lambda sample, axis: average(np.moveaxis(sample, axis, 0), statistic),
        axis=1,
        vectorized=True,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=num_resamples,
        batch=max(1, SCIPY_BATCH_NUMBERS // values.size),
        rng=rng,
    ).confidence_interval
    return np.asarray(interval.low), np.asarray(interval.high)
