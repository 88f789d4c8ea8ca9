"""The dashboard's tables as rows of plain values."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from rlkit.viz.curves import Line, Panel
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.grouping import show_value
from rlkit.viz.labels import axis_name
from rlkit.viz.run_reader import RunReader

MAX_RUNS_IN_DIFF = 10
ABSENT = "-"
Row = dict[str, Any]


def run_rows(store: RunStore, runs: Sequence[RunReader], y: str) -> list[Row]:
    """One row per run: what it is, how it fares and when it was last heard of."""
    now = time.time()
    return [
        {
            "name": run.name,
            "state": run.status.state,
            "updated": run.status.updated or None,
            "age": age(now - run.status.updated) if run.status.updated else ABSENT,
            "iteration": run.status.iteration if run.status.iteration >= 0 else None,
            "env_name": run.env_name,
            "seed": run.config.get("seed"),
            "last": rounded(store.last_value(run, y)),
            "problem": "; ".join(run.problems),
        }
        for run in runs
    ]


def final_rows(panels: Sequence[Panel]) -> list[Row]:
    """One row per line drawn: where it ends and how sure that is."""
    return [_final_row(panel, line) for panel in panels for line in panel.lines]


def _final_row(panel: Panel, line: Line) -> Row:
    pooled, finals = line.pooled, [float(run.y[-1]) for run in line.runs]
    return {
        "panel": panel.title,
        "column": axis_name(panel.y),
        "group": line.label,
        "detail": line.detail,
        "seeds": len(line.runs),
        "x": float(pooled.x[-1]),
        "final": rounded(pooled.center[-1]),
        "low": rounded(pooled.low[-1]),
        "high": rounded(pooled.high[-1]),
        "worst": rounded(min(finals)),
        "best": rounded(max(finals)),
    }


class ConfigDiff(NamedTuple):
    """In what runs differ."""

    names: list[str]  # of the runs
    rows: list[list[str]]  # settings in which runs of one family differ: the key and each run's value
    families: list[str]
    by_family: list[list[str]]  # settings in which families alone differ: the key and each family's value


def config_diff(runs: Sequence[RunReader]) -> ConfigDiff:
    shown = runs[:MAX_RUNS_IN_DIFF]
    families = list(dict.fromkeys(run.env_name for run in shown))
    rows, by_family = [], []
    for key in dict.fromkeys(key for run in shown for key in run.config):
        values = [show_value(run.config[key]) if key in run.config else ABSENT for run in shown]
        if len(set(values)) == 1:
            continue
        pairs = dict.fromkeys((run.env_name, value) for run, value in zip(shown, values, strict=True))
        if len(pairs) == len(families):  # one value in each
            by_family.append([key, *(value for _, value in pairs)])
        else:
            rows.append([key, *values])
    return ConfigDiff([run.name for run in shown], rows, families, by_family)


def rounded(value: float) -> float | None:
    """A number with five significant digits; None for nan and infinities, which JSON lacks."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"
