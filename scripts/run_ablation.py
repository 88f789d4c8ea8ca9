"""Run the arms of the ablation NAME, each with several seeds; NAME is the beginning of files in configs/ablations.

Runs go to output/[ENV]/NAME.ARM-sSEED. Started again, the command skips what is finished and resumes the rest.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click

from rlkit.config.files import load_config
from rlkit.launchers.runs import ROOT, Run, share_of_cpus, thread_settings
from rlkit.runs.folder import env_folder
from rlkit.sweep.engine import Means, execute
from rlkit.sweep.work import RunList
from rlkit.util.command import Command, run_command
from rlkit.util.errors import EXIT_FAILED, UserError

CONFIGS = ROOT / "configs" / "ablations"


@click.command(cls=Command, help=__doc__)
@click.argument("name")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each arm: seeds 0, 1, ..."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option("--gpu", type=click.IntRange(min=0), metavar="ID", help="CUDA device (default: the configs').")
@click.option("--cpu", is_flag=True, help="Train on the CPU even if there is a GPU.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of every run.")
def main(name: str, seeds: int, jobs: int, gpu: int | None, cpu: bool, overrides: tuple[str, ...]) -> int:
    runs = plan(name, seeds, (*thread_settings(jobs), *overrides))
    device = ["--cpu"] if cpu else [] if gpu is None else ["--gpu", str(gpu)]
    work = RunList(runs)
    execute(work, Means(device, jobs, share_of_cpus(jobs)))
    click.echo(f"one figure of all: scripts/plot.py {' '.join(str(run.folder) for run in runs)}")
    return EXIT_FAILED if work.failed else 0


def ablations() -> dict[str, list[Path]]:
    paths = sorted(CONFIGS.glob("*.*.json"))
    return {name: list(arms) for name, arms in groupby(paths, lambda path: path.name.partition(".")[0])}


def plan(name: str, seeds: int, settings: tuple[str, ...]) -> list[Run]:
    """The runs of an ablation, seed by seed, so that the arms can be compared before all is done.

    Raises:
        UserError: no such ablation, or a setting that a config refuses.
    """
    known = ablations()
    if name not in known:
        raise UserError(f"unknown ablation '{name}'; choose one of {', '.join(known)}")
    arms = [(path, load_config(path, settings)) for path in known[name]]
    return [
        Run(path, seed, env_folder(config) / f"{path.stem}-s{seed}", config.algo_params.num_iterations, settings)
        for seed in range(seeds)
        for path, config in arms
    ]


if __name__ == "__main__":
    run_command(main)
