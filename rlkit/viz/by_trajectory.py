"""How adaptation proceeds: the return of each trajectory of an evaluation, once a run has come to its end."""

from __future__ import annotations

import numpy as np

from rlkit.viz.curves import CurveOptions, Line
from rlkit.viz.grouping import Group
from rlkit.viz.labels import TRAJECTORY_PREFIX
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import Curve, clean_curve, final_value, pool

X_TRAJECTORY = "Trajectory"


def pool_by_trajectory(group: Group, y: str, options: CurveOptions) -> Line | None:
    """Pool a group's runs over the number of the trajectory, in place of `y`; None if none of them has such columns.

    A `PoolGroup`. Each run counts with the `final_value` of each trajectory's column.
    """
    runs = [run for run in map(trajectory_curve, group.members) if len(run.x)]
    if not runs:
        return None
    pooled = pool(runs, options.statistic, options.max_points, options.num_resamples)
    return Line(group.label, pooled, runs, group.detail)


def trajectory_curve(run: RunReader) -> Curve:
    """One run's final return by trajectory number, from 1; empty where the run has no such columns."""
    count = sum(column.startswith(TRAJECTORY_PREFIX) for column in run.progress.columns)
    numbers = np.arange(1, count + 1)
    returns = [final_value(run.progress.column(f"{TRAJECTORY_PREFIX}{number}")) for number in numbers]
    return clean_curve(numbers.astype(np.float64), np.array(returns))
