"""What a study came to: its points in their order, with the interval over seeds, and the picture of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rlkit.sweep.session import TABLE_FILE, Session
from rlkit.sweep.table import Entry, Point
from rlkit.viz import style
from rlkit.viz.grouping import MAX_LABEL
from rlkit.viz.stats import Estimate, over_seeds
from rlkit.viz.study import Best, PointValues, draw_study

PICTURE_FILE = "study.png"
NUM_BEST = 5


class Standing(NamedTuple):
    """A point and what its seeds came to."""

    point: Point
    entries: list[Entry]
    values: list[float]  # of the seeds that have one
    estimate: Estimate  # over these
    is_complete: bool  # every seed came to the last iteration


def standings(entries: Sequence[Entry], mode: str) -> list[Standing]:
    """The points with a value, best first; those that were stopped early, or lack a seed, come after the others."""
    found = []
    for _, group in itertools.groupby(entries, lambda entry: entry.point.number):
        members = list(group)
        values = [entry.value for entry in members if math.isfinite(entry.value)]
        if values:
            is_complete = all(entry.state == "finished" for entry in members)
            found.append(Standing(members[0].point, members, values, over_seeds(values), is_complete))
    sign = -1 if mode == "max" else 1
    return sorted(found, key=lambda standing: (not standing.is_complete, sign * standing.estimate.center))


def draw_outcome(session: Session) -> list[Path]:
    """Draw the picture, where any run has a value; returns the files that there are."""
    found = standings(session.entries, session.study.mode)
    files = [session.folder / TABLE_FILE]
    if found:
        points = [PointValues(one.point.settings, one.values, one.is_complete) for one in found]
        best = [Best(_label(one.point), [entry.run.folder for entry in one.entries]) for one in found[:NUM_BEST]]
        keys = {key: axis.is_log for key, axis in session.study.space.items()}
        figure = draw_study(points, keys, session.study.metric, best, session.base.env_name)
        files.append(style.save(figure, session.folder / PICTURE_FILE))
    return files


def _label(point: Point) -> str:
    """The point's settings, or its number alone where they are long."""
    return point.shown if len(point.shown) <= MAX_LABEL else f"{point.number:03}"
