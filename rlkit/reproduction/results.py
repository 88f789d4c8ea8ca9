"""What results/ holds: each run's rows, read strictly, and the figures that summarise the runs of an arm."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rlkit.config.files import load_config
from rlkit.config.settings import Config
from rlkit.reproduction.experiments import Arm, Experiment
from rlkit.reproduction.plan import MACHINE_FILE, Plan, Reproduction, seeds_beside
from rlkit.runs.folder import PROGRESS_FILE, VARIANT_FILE
from rlkit.util.errors import UserError
from rlkit.viz.labels import TRAJECTORY_PREFIX, X_DEFAULT, Y_DEFAULT
from rlkit.viz.stats import Estimate, FloatArray, clean_curve, final_value, over_seeds

SECONDS, EPOCH = "Total Train Time (s)", "Epoch"
NEEDED = (X_DEFAULT, Y_DEFAULT, SECONDS, EPOCH)
LONG_RUN = 5400.0  # s; runs of small configs are meant to be shorter
Session = dict[str, Any]
"""`from_iteration`, device, cpu, cores, gpu, packages, commit, and perhaps `cpu_minutes`."""
REPAIR = "restore it with git, or delete the folder and run again"


@dataclass(frozen=True)
class Result:
    """A finished run: its folder in results/, its config, the columns of its progress.csv and where it ran."""

    folder: Path
    config: Config
    columns: Mapping[str, FloatArray]
    sessions: Sequence[Session]

    @property
    def iterations(self) -> int:
        return int(self.columns[EPOCH][-1]) + 1

    @property
    def env_steps(self) -> int:
        return int(self.columns[X_DEFAULT][-1])

    @property
    def seconds(self) -> float:
        """Wall-clock of its iterations."""
        return float(self.columns[SECONDS][-1])

    @property
    def cpu_minutes(self) -> float | None:
        """Processor time, where it was noted: on cores that other work shared it tells more than the wall-clock."""
        noted = [session.get("cpu_minutes") for session in self.sessions]
        known = [float(minutes) for minutes in noted if isinstance(minutes, int | float)]
        return sum(known) if len(known) == len(noted) else None

    def return_at(self, value: float, column: str = X_DEFAULT) -> float:
        """The return on unseen tasks where a rising column has a value, between two evaluations; nan beyond them."""
        curve = clean_curve(self.columns[column], self.columns[Y_DEFAULT])
        return float(np.interp(value, curve.x, curve.y, left=math.nan, right=math.nan))

    @property
    def trajectory_columns(self) -> list[str]:
        """Columns of the return by trajectory, in order."""
        return [name for name in self.columns if name.startswith(TRAJECTORY_PREFIX)]


@dataclass(frozen=True)
class ArmResults:
    """The runs of one arm of an experiment, by seed."""

    experiment: Experiment
    arm: Arm
    plan: Plan  # of its first seed
    runs: list[Result]

    @cached_property
    def test_return(self) -> Estimate:
        """The return on unseen tasks; there must be runs."""
        return self.estimate(Y_DEFAULT)

    def estimate(self, column: str) -> Estimate:
        """Pool the seeds' final values of a column."""
        return over_seeds([final_value(run.columns[column]) for run in self.runs])


Results = Mapping[str, Sequence[ArmResults]]
"""Every experiment's arms, by its name."""


def read_all(reproduction: Reproduction) -> Results:
    """What is kept of every arm and is still of its config, by the experiment's name.

    Raises:
        UserError: a file is damaged.
    """

    def read_arm(experiment: Experiment, arm: Arm) -> ArmResults:
        first = reproduction.plan(experiment, arm, 0)
        found = (read_result(reproduction.plan(experiment, arm, seed)) for seed in seeds_beside(first.results))
        return ArmResults(experiment, arm, first, [result for result in found if result is not None])

    return {
        experiment.name: [read_arm(experiment, arm) for arm in experiment.arms]
        for experiment in reproduction.experiments
    }


def read_result(plan: Plan) -> Result | None:
    """What is kept of a run; None where there is nothing, or results of another config or a shorter run.

    Raises:
        UserError: a file is damaged.
    """
    if not plan.has_results():
        return None
    columns = read_columns(plan.results / PROGRESS_FILE)
    sessions = read_sessions(plan.results / MACHINE_FILE)
    result = Result(plan.results, load_config(plan.results / VARIANT_FILE), columns, sessions)
    return result if result.iterations >= plan.run.num_iterations else None


def read_columns(path: Path) -> dict[str, FloatArray]:
    """The columns of a progress.csv, (rows,) each; empty cells are nan.

    Raises:
        UserError: it cannot be read, lacks a column, or a line is not whole.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        numbers = [[float(cell) if cell else math.nan for cell in row] for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: {error}; {REPAIR}") from None
    if not rows or any(len(row) != len(header) for row in rows):
        raise UserError(f"{path}: should be {len(header)} numbers in each line; {REPAIR}")
    columns = dict(zip(header, np.array(numbers).T, strict=True))
    for name in NEEDED:
        if name not in columns or not math.isfinite(columns[name][-1]):
            raise UserError(f"{path}: the last line should have the column '{name}'; {REPAIR}")
    return columns


def read_sessions(path: Path) -> list[Session]:
    """The sessions of a run, at least one.

    Raises:
        UserError: the file is damaged.
    """
    try:
        sessions: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; {REPAIR}") from None
    if not (isinstance(sessions, list) and sessions and all(isinstance(entry, dict) for entry in sessions)):
        raise UserError(f"{path}: should be a list of sessions; {REPAIR}")
    return sessions


def number(value: float, like: float | None = None) -> str:
    """A return with three digits or all before the point, with as many decimals as `like` would get."""
    size = abs(value if like is None else like)
    decimals = 2 if size < 10 else 1 if size < 100 else 0
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0: what rounds to nothing has no sign


def with_band(estimate: Estimate) -> str:
    """A value and, of several seeds, its band."""
    center, low, high = (number(value, like=estimate.center) for value in estimate)
    return f"**{center}**" + ("" if math.isnan(estimate.low) else f" ({low} to {high})")


def steps(count: float) -> str:
    """Environment steps as 210k or 1.50M."""
    return f"{count / 1e6:.2f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"


def durations(seconds: Sequence[float]) -> str:
    """The median and, of several, the range; in minutes up to an hour and a half, then in hours."""
    size, unit = (60, "min") if median(seconds) <= LONG_RUN else (3600, "h")
    middle, low, high = (f"{value / size:.1f}" for value in (median(seconds), min(seconds), max(seconds)))
    return f"{middle} {unit}" + (f" ({low} to {high})" if len(seconds) > 1 else "")
