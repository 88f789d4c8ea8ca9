"""What a study came to: its points in their order, with the interval over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rlkit.sweep.points import Point
from rlkit.sweep.session import Entry
from rlkit.viz.stats import average, bootstrap_band

NUM_BEST = 5


class Standing(NamedTuple):
    """A point and what its seeds came to."""

    point: Point
    entries: list[Entry]
    value: float  # interquartile mean over the seeds
    low: float  # of its 95 % interval; nan with one seed
    high: float
    is_complete: bool  # every seed came to the last iteration


def standings(entries: Sequence[Entry], mode: str) -> list[Standing]:
    """The points with a value, best first; those that were stopped early, or lack a seed, come after the others."""
    by_point: dict[int, list[Entry]] = {}
    for entry in entries:
        by_point.setdefault(entry.point.number, []).append(entry)
    found = []
    for members in by_point.values():
        values = np.array([[entry.value] for entry in members if math.isfinite(entry.value)])
        if len(values):
            low, high = bootstrap_band(values, "iqm")
            is_complete = all(entry.state == "finished" for entry in members)
            value = float(average(values, "iqm")[0])
            found.append(Standing(members[0].point, members, value, float(low[0]), float(high[0]), is_complete))
    sign = -1 if mode == "max" else 1
    return sorted(found, key=lambda standing: (not standing.is_complete, sign * standing.value))
