"""Measure each part of the loop beside its limit on this machine, in one run: a ratio of 1.0 is the limit.

Without SECTIONS all but `scaling`, `sweep`, `gpu` and `graph`.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Column, Table

from rlkit.config.files import load_config
from rlkit.config.rules import make_config
from rlkit.config.settings import Config
from rlkit.launchers.runs import ROOT
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import UserError
from rlkit.util.files import write_json

if TYPE_CHECKING:
    import torch

    from benchmarks.timing import Cases

SECTIONS = ("update", "collect", "evaluate", "envs", "iteration", "memory", "scaling", "sweep", "gpu", "graph")
USUAL_SECTIONS = SECTIONS[:-4]  # how cost scales, what a study costs and what a GPU adds, is measured when asked for
SMALL = "small, 8 x 64, net 64"
UPDATE_CONFIGS = ("cheetah-vel", "point-robot", "sparse-point-robot")
PHYSICS_CONFIGS = ("cheetah-vel", "ant-dir", "humanoid-dir", "walker-rand-params")
ENV_CONFIGS = (*PHYSICS_CONFIGS, "cheetah-dir", "ant-goal", "hopper-rand-params")
GPU_CONFIGS = ("cheetah-vel", "sparse-point-robot", "humanoid-dir", SMALL)
LANES = (30,)
SECONDS_PER_CASE = 8.0
PRINTED_WIDTH = 150  # where there is no terminal


@click.command(cls=Command, help=__doc__)
@click.argument("sections", nargs=-1, type=click.Choice(SECTIONS))
@click.option("--config", "config_path", type=UserPath(), help="Measure this config instead of the usual ones.")
@click.option("--json", "json_path", type=UserPath(), help="Write the figures to this file too.")
@click.option("--device", "device_name", default="cpu", show_default=True, help="cpu or cuda[:ID].")
@click.option(
    "--seconds", default=SECONDS_PER_CASE, show_default=True, type=click.FloatRange(min=0.0), help="Time per case."
)
@click.option(
    "--lanes",
    "lane_counts",
    default=LANES,
    show_default=True,
    multiple=True,
    type=click.IntRange(min=1),
    help="Lanes to collect and evaluate in; repeatable.",
)
def main(
    sections: tuple[str, ...],
    config_path: Path | None,
    json_path: Path | None,
    device_name: str,
    seconds: float,
    lane_counts: tuple[int, ...],
) -> None:
    device = _device(device_name)
    figures: dict[str, dict[str, object]] = {}
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else PRINTED_WIDTH)
    console.print(_machine(device), highlight=False)
    for section in sections or USUAL_SECTIONS:
        figures[section] = {}
        for name, case in _shown(console, section, _measure(section, config_path, device, seconds, lane_counts)):
            figures[section][name] = case.as_json()
            if json_path is not None:
                write_json(json_path, figures)


def _device(name: str) -> torch.device:
    import torch

    from envs.cpus import usable_cpus
    from rlkit.torch.pytorch_util import tune_cpu

    try:
        device = torch.empty(0, device=name).device  # with its number
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name}: {str(error).splitlines()[0]}") from None
    if device.type == "cpu":
        tune_cpu(0, usable_cpus())
    return device


def _machine(device: torch.device) -> str:
    import torch

    from rlkit.util.machine import cpu_model, versions

    name = cpu_model() if device.type == "cpu" else torch.cuda.get_device_name(device)
    packages = ", ".join(f"{package} {versions()[package]}" for package in ("torch", "mujoco", "mjbatch", "numpy"))
    return f"{name}, {torch.get_num_threads()} CPU threads; Python {platform.python_version()}, {packages}"


def _measure(
    section: str, config_path: Path | None, device: torch.device, seconds: float, lane_counts: tuple[int, ...]
) -> Cases:
    from benchmarks import iteration, physics, sweep, update

    configs = partial(_configs, config_path)
    if section in ("collect", "evaluate"):
        return physics.measure_sampling(configs(*PHYSICS_CONFIGS), section, lane_counts, device, seconds)
    measures: dict[str, Callable[[], Cases]] = {
        "update": lambda: update.measure_step(configs(*UPDATE_CONFIGS, SMALL), device, seconds),
        "envs": lambda: physics.measure_steps(configs(*ENV_CONFIGS)),
        "iteration": lambda: iteration.measure_phases(configs("cheetah-vel"), device),
        "memory": lambda: iteration.measure_memory(configs(*UPDATE_CONFIGS, "ant-goal", "humanoid-dir"), device),
        "scaling": lambda: iteration.measure_scaling(configs("cheetah-vel"), device, seconds / 2),
        "sweep": lambda: sweep.measure(configs("quickstart")),
        "gpu": lambda: update.measure_modes(configs(*GPU_CONFIGS), device, seconds),
        "graph": lambda: update.compare_graph(configs(*GPU_CONFIGS), device, seconds),
    }
    return measures[section]()


def _configs(path: Path | None, *names: str) -> dict[str, Config]:
    if path is not None:
        return {path.stem: load_config(path)}
    return {name: _small_config() if name == SMALL else load_config(ROOT / f"configs/{name}.json") for name in names}


def _small_config() -> Config:
    """The CPU-sized point robot that the reference was timed at: 46 steps/s."""
    algo = {"meta_batch": 8, "batch_size": 64, "max_path_length": 20, "num_steps_per_eval": 60}
    settings = {"env_name": "point-robot", "n_train_tasks": 20, "n_eval_tasks": 10, "net_size": 64}
    return make_config({**settings, "env_params": {"n_tasks": 30}, "algo_params": algo}, "small")


def _shown(console: Console, section: str, cases: Cases) -> Cases:
    """The cases as they come; their table is printed at the end, whatever the end is."""
    numbers = (Column(heading, justify="right") for heading in ("value", "limit", "ratio"))
    table = Table("case", *numbers, "", "note", title=section, title_justify="left")
    try:
        for name, case in cases:
            table.add_row(name, *case.cells())
            yield name, case
    finally:
        console.print(table)


if __name__ == "__main__":
    run_command(main)
