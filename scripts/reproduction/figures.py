"""The figures of results/figures, as scripts/plot.py draws them."""

from __future__ import annotations

from dataclasses import replace

import plot
from reproduction.experiments import Experiment
from reproduction.levels import POINT_ROBOTS, walking_levels
from reproduction.plan import Places
from reproduction.results import Results
from rlkit.viz.by_trajectory import X_TRAJECTORY
from rlkit.viz.curves import CurveOptions

FOLDER = "figures"


def figure_names(experiment: Experiment) -> list[str]:
    """An experiment's figures, without their suffix: its learning curves, and how adaptation proceeds."""
    return [experiment.name, *([f"{experiment.name}-by-trajectory"] if experiment.by_trajectory else [])]


def draw_figures(results: Results, places: Places) -> None:
    """Draw those of every experiment that has results."""
    for arms in results.values():
        experiment = arms[0].experiment
        folders = [run.folder for arm in arms for run in arm.runs]
        if not folders:
            continue
        config = arms[0].plan.config
        walks = config.env_name in POINT_ROBOTS
        levels = walking_levels(config) if walks else {}
        if experiment.target is not None:
            levels["target"] = experiment.target
        key = experiment.told_apart_by
        curves = CurveOptions(
            group=None if key is None else [key],
            statistic="iqm",
            reference=not walks,
            levels=levels,
            seeds=len(arms) == 1,
        )
        runs = plot.read_runs(folders)
        options = (curves, replace(curves, x=X_TRAJECTORY))
        for name, wanted in zip(figure_names(experiment), options, strict=False):
            plot.draw(runs, wanted, places.results / FOLDER / f"{name}.png", None)
