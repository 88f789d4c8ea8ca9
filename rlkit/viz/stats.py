"""From the curves of several seeds to one line with a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
STATISTICS = {"mean": "mean", "iqm": "interquartile mean"}  # and what they are called
CONFIDENCE = 0.95
IQM_CUT = 0.25  # share cut off at each end: the mean of the middle half
MAX_POINTS = 400  # of a common grid
NUM_RESAMPLES = 2000  # of the bootstrap
BATCH_NUMBERS = 2_000_000  # resampled numbers held at once
FINAL_SHARE, MIN_FINAL = 0.1, 5  # evaluations that tell what a run comes to: its last tenth, at least so many


@dataclass(frozen=True)
class Curve:
    """One run's finite points, x strictly increasing; both (points,)."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Pooled:
    """Several seeds as one curve; all arrays (points,)."""

    x: FloatArray  # the common grid
    center: FloatArray  # mean or interquartile mean over the seeds that reach x
    low: FloatArray  # of the 95 % bootstrap band; nan where fewer than two seeds reach x
    high: FloatArray
    count: npt.NDArray[np.int64]  # how many seeds reach x


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


def common_grid(curves: Sequence[Curve], max_points: int) -> FloatArray:
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


def pool(
    curves: Sequence[Curve], statistic: str = "mean", max_points: int = MAX_POINTS, num_resamples: int = NUM_RESAMPLES
) -> Pooled:
    """Pool the seeds' curves; a curve without points counts for nothing.

    The band is that of resampling whole seeds, each segment of x from the seeds that reach it.
    """
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        nothing = np.empty(0)
        return Pooled(nothing, nothing, nothing, nothing, np.empty(0, dtype=np.int64))
    grid = common_grid(curves, max_points)
    values = np.array([_at(grid, curve) for curve in curves])  # (curves, points), nan where a curve does not reach
    reached = np.isfinite(values)
    center, low, high = (np.full(len(grid), np.nan) for _ in range(3))
    for pattern in np.unique(reached, axis=1).T:
        here = (reached == pattern[:, None]).all(axis=0)
        present = values[pattern][:, here]
        if len(present):
            center[here] = average(present, statistic)
            low[here], high[here] = bootstrap_band(present, statistic, num_resamples)
    return Pooled(grid, center, low, high, reached.sum(axis=0))


def _at(grid: FloatArray, curve: Curve) -> FloatArray:
    """The curve's values on the grid, (points,): interpolated, held for half its usual step beyond, then nan.

    Seeds of one experiment end at slightly different env steps, and the last points are all of theirs.
    """
    beyond = np.median(np.diff(curve.x)) / 2 if len(curve.x) > 1 else 0.0
    reached = (grid >= curve.x[0] - beyond) & (grid <= curve.x[-1] + beyond)
    return np.where(reached, np.interp(grid, curve.x, curve.y), np.nan)


def average(values: FloatArray, statistic: str) -> FloatArray:
    """Mean or interquartile mean over the first axis: (seeds, points) to (points,)."""
    cut = _num_cut(len(values), statistic)
    if cut == 0:
        return np.asarray(values.mean(axis=0))
    return np.asarray(np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0))


def final_value(values: FloatArray) -> float:
    """What a run's column (rows,) comes to: the interquartile mean of its last finite values; nan of none."""
    values = values[np.isfinite(values)]
    count = max(MIN_FINAL, round(FINAL_SHARE * len(values)))
    return float(average(values[-count:, None], "iqm")[0]) if len(values) else float("nan")


def _num_cut(num_seeds: int, statistic: str) -> int:
    """How many of the smallest and of the largest values are left out."""
    assert statistic in STATISTICS, statistic
    return int(IQM_CUT * num_seeds) if statistic == "iqm" else 0


class Estimate(NamedTuple):
    """Interquartile mean over seeds, and its 95 % bootstrap interval, nan of one seed alone."""

    center: float
    low: float
    high: float


def over_seeds(seeds: Sequence[float]) -> Estimate:
    """The estimate of at least one seed's values."""
    values = np.array(seeds, dtype=np.float64)[:, None]
    low, high = bootstrap_band(values, "iqm")
    return Estimate(float(average(values, "iqm")[0]), float(low[0]), float(high[0]))


def bootstrap_band(
    values: FloatArray, statistic: str, num_resamples: int = NUM_RESAMPLES
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval of the statistic over the first axis, (seeds, points) to two of (points,).

    Whole seeds are drawn with replacement, the same ones at every point. One seed alone gives nan. The numbers are
    those of scipy.stats.bootstrap, which takes ten times as long: too slow for a page with a thousand runs.
    """
    num_seeds, num_points = values.shape
    if num_seeds < 2:
        return np.full(num_points, np.nan), np.full(num_points, np.nan)
    draws = _count_draws(num_seeds, num_resamples, np.random.default_rng(0))
    cut = _num_cut(num_seeds, statistic)
    if cut == 0:
        # One product gives all means; einsum, since BLAS threads stall beside the training runs that one watches.
        resampled = np.einsum("rs,sp->rp", draws.astype(np.float64), values) / num_seeds
    else:
        step = max(1, BATCH_NUMBERS // draws.size)
        batches = (values[:, start : start + step] for start in range(0, num_points, step))
        resampled = np.concatenate([_trimmed_means(batch, draws, cut) for batch in batches], axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return low, high


def _count_draws(num_seeds: int, num_resamples: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How often each seed is drawn in each resample: (resamples, seeds)."""
    drawn = rng.integers(num_seeds, size=(num_resamples, num_seeds)) + num_seeds * np.arange(num_resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=num_seeds * num_resamples).reshape(num_resamples, num_seeds)


def _trimmed_means(values: FloatArray, draws: npt.NDArray[np.int64], cut: int) -> FloatArray:
    """Trimmed means of resamples, without sorting each of them.

    With the values in order, a resample's i-th smallest distinct value ends at position cumsum(draws)[i]; the part of
    it within [cut, seeds - cut] is its weight. The weighted sum is written by parts over the steps between values.

    Args:
        values: (seeds, points).
        draws: (resamples, seeds), each row summing to the number of seeds.
        cut: values left out at each end.

    Returns:
        (resamples, points).
    """
    num_seeds = len(values)
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    kept = np.cumsum(draws.astype(np.int32)[:, order], axis=1)[:, :-1]
    np.clip(kept, cut, num_seeds - cut, out=kept)
    below = np.einsum("rsp,sp->rp", kept.astype(np.float64), np.diff(ordered, axis=0))
    total = (num_seeds - cut) * ordered[-1] - cut * ordered[0] - below
    return np.asarray(total / (num_seeds - 2 * cut))
