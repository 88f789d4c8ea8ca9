"""The figures of results/figures: every domain side by side, and those of each experiment."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gymnasium.vector import AutoresetMode
from matplotlib.ticker import MaxNLocator

from envs import make_env
from envs.point_robot import STEP_SIZE
from rlkit.config.settings import Config
from rlkit.reproduction.experiments import Experiment
from rlkit.reproduction.results import SECONDS, ArmResults, Results
from rlkit.util.records import FloatArray
from rlkit.viz import style
from rlkit.viz.curves import CurveOptions
from rlkit.viz.labels import X_DEFAULT, X_TRAJECTORY, Y_DEFAULT
from rlkit.viz.plotting import draw, read_runs
from rlkit.viz.stats import clean_curve, pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER, LEADING = "figures", "domains"
LEADING_CAPTION = """Return on unseen tasks over environment steps; above: minutes of the median run, of processor
time where that was noted. Thin: seeds; bold: their interquartile mean; dashed: target."""
CAPTION_WIDTH = 54  # letters below a panel
PANELS_ACROSS, PANEL_SIZE = 3, (3.1, 2.5)  # of the leading figure; inches
LEADING_DPI = 120  # with a panel for each domain it stays below 300 kB
POINT_ROBOTS = ("point-robot", "sparse-point-robot")
STARTS = 100  # of each task


def figure_names(experiment: Experiment) -> list[str]:
    """An experiment's figures, without their suffix: its learning curves, and how adaptation proceeds."""
    return [experiment.name, *([f"{experiment.name}-by-trajectory"] if experiment.by_trajectory else [])]


def leading_arms(results: Results) -> list[ArmResults]:
    """The first arm of each experiment that leads the page, finished or not."""
    return [arms[0] for arms in results.values() if arms[0].experiment.leads]


def draw_figures(results: Results, kept: Path) -> None:
    """Draw in the folder of `kept` results the leading one, and those of every experiment that has any."""
    folder = kept / FOLDER
    if begun := [arm for arm in leading_arms(results) if arm.runs]:
        draw_leading(begun, folder / f"{LEADING}.png")
    for arms in results.values():
        experiment = arms[0].experiment
        run_folders = [run.folder for arm in arms for run in arm.runs]
        if not run_folders:
            continue
        config = arms[0].plan.config
        walks = config.env_name in POINT_ROBOTS
        levels = walking_levels(config) if walks else {}
        if experiment.target is not None:
            levels["target"] = experiment.target
        curves = CurveOptions(
            group=None if experiment.told_apart_by is None else [experiment.told_apart_by],
            statistic="iqm",
            reference=not walks,
            levels=levels,
            seeds=len(arms) == 1,
        )
        runs = read_runs(run_folders)
        for name, options in zip(figure_names(experiment), (curves, replace(curves, x=X_TRAJECTORY)), strict=False):
            draw(runs, options, folder / f"{name}.png", None)


def draw_leading(domains: Sequence[ArmResults], path: Path) -> None:
    """A panel per domain: seeds thin, their interquartile mean bold, the target; steps below, minutes above."""
    across = min(len(domains), PANELS_ACROSS)
    down = -(-len(domains) // across)
    with style.styled():
        figure = style.new_figure(PANEL_SIZE[0] * across, PANEL_SIZE[1] * down + 0.3)
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes, arm in zip(grid, domains, strict=False):
            _draw_domain(axes, arm)
        for axes in grid[len(domains) :]:
            axes.set_visible(False)
        text = textwrap.fill(LEADING_CAPTION, CAPTION_WIDTH * across)
        figure.supxlabel(text, fontsize=7, color=style.GREY, x=0.01, ha="left")
    style.save(figure, path, LEADING_DPI)


def _draw_domain(axes: Axes, arm: ArmResults) -> None:
    curves = [clean_curve(run.columns[X_DEFAULT], run.columns[Y_DEFAULT]) for run in arm.runs]
    for curve in curves:
        axes.plot(curve.x, curve.y, color=style.COLORS[0], linewidth=0.6, alpha=0.5)
    seeds = pool(curves, "iqm")
    axes.plot(seeds.x, seeds.center, color=style.COLORS[0])
    if arm.experiment.target is not None:
        axes.axhline(arm.experiment.target, color=style.COLORS[1], linewidth=1.0, linestyle=(0, (4, 3)))
    axes.margins(x=0.0)
    axes.set_title(f"{arm.plan.config.env_name}, {len(arm.runs)} seed{'s' * (len(arm.runs) > 1)}")
    style.short_numbers(axes)
    usual = sorted(arm.runs, key=lambda run: run.seconds)[(len(arm.runs) - 1) // 2]
    minutes, env_steps = usual.columns[SECONDS] / 60, usual.columns[X_DEFAULT]
    if usual.cpu_minutes is not None:
        minutes = minutes * usual.cpu_minutes / minutes[-1]
    if np.ptp(minutes) > 0:
        slope, start = np.polyfit(minutes, env_steps, 1)  # steps take the same time throughout, near enough
        above = axes.secondary_xaxis("top", functions=(lambda x: (x - start) / slope, lambda x: start + slope * x))
        above.xaxis.set_major_locator(MaxNLocator(4))
        above.xaxis.set_major_formatter("{x:g} min")
        above.tick_params(labelsize=7)


def walking_levels(config: Config) -> dict[str, float]:
    """Mean returns on the test tasks of walking to the goal and, where the reward is dense, to the centre."""
    sparse = config.algo_params.sparse_rewards
    tasks = np.repeat(np.array(config.test_tasks), STARTS)
    env = make_env(
        config.env_name,
        len(tasks),
        max_path_length=config.algo_params.max_path_length,
        autoreset_mode=AutoresetMode.DISABLED,
        **config.env_params.model_dump(),
    )
    env.set_tasks(tasks)
    goals = np.array([task["goal"] for task in env.tasks])[tasks]
    places = (
        {"straight to the goal": goals} if sparse else {"straight to the goal": goals, "to the centre": 0 * goals}
    )

    def walk(place: FloatArray) -> float:
        obs, _ = env.reset(seed=0)
        total = 0.0
        for _ in range(env.max_path_length):
            obs, reward, _, _, info = env.step(np.clip((place - obs) / STEP_SIZE, -1, 1))
            total += float(np.mean(info["sparse_reward"] if sparse else reward))
        return total

    return {name: walk(place) for name, place in places.items()}
