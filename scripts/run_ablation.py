"""Run the arms of the ablation NAME, each with several seeds; NAME is the beginning of files in configs/ablations.

Runs go to output/[ENV]/NAME.ARM-sSEED. Started again, the command skips what is finished and resumes the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from rlkit.core.config_files import load_config
from rlkit.core.errors import UserError

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs" / "ablations"
EXIT_FAILED, EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 1, 2, 130


class Run(NamedTuple):
    """One arm with one seed."""

    config: Path
    seed: int
    folder: Path  # of its results

    @property
    def name(self) -> str:
        """The results' folder name."""
        return self.folder.name


@click.command(help=__doc__)
@click.argument("name")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each arm: seeds 0, 1, ..."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option("--gpu", type=click.IntRange(min=0), metavar="ID", help="CUDA device (default: the configs').")
@click.option("--cpu", is_flag=True, help="Train on the CPU even if there is a GPU.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of every run.")
def main(name: str, seeds: int, jobs: int, gpu: int | None, cpu: bool, overrides: tuple[str, ...]) -> None:
    """Parse the command line; wrong input ends in one line and exit code 2."""
    try:
        runs = plan(name, seeds, overrides)
        device = ["--cpu"] if cpu else [] if gpu is None else ["--gpu", str(gpu)]
        settings = [word for setting in (*thread_settings(jobs), *overrides) for word in ("--set", setting)]
        codes = execute_all(runs, device, settings, jobs)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_WRONG_INPUT)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    click.echo(f"one figure of all: scripts/plot.py {' '.join(str(run.folder) for run in runs)}")
    if any(codes):
        sys.exit(EXIT_FAILED)


def ablations() -> dict[str, list[Path]]:
    """The configs of each ablation, by its name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(CONFIGS.glob("*.*.json")):
        found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


def plan(name: str, seeds: int, overrides: tuple[str, ...]) -> list[Run]:
    """The runs of an ablation, seed by seed, so that the arms can be compared before all is done.

    Raises:
        UserError: no such ablation, or an override that a config refuses.
    """
    if name not in ablations():
        raise UserError(f"unknown ablation '{name}'; choose one of {', '.join(ablations())}")
    runs = []
    for seed in range(seeds):
        for path in ablations()[name]:
            config = load_config(path, overrides)
            parent = Path(config.util_params.base_log_dir) / config.env_name
            runs.append(Run(path, seed, parent / f"{path.stem}-s{seed}"))
    return runs


def thread_settings(jobs: int) -> list[str]:
    """Have each of several runs at a time keep to its share of the CPU."""
    if jobs == 1:
        return []
    return [f"util_params.num_threads={max(1, (os.cpu_count() or 1) // jobs)}"]


def execute_all(runs: list[Run], device: list[str], settings: list[str], jobs: int) -> list[int]:
    """Exit codes of `runs`, `jobs` at a time.

    Raises:
        KeyboardInterrupt: one was interrupted; those that have not begun are left.
    """
    interrupted = threading.Event()

    def execute_next(run: Run) -> int:
        if interrupted.is_set():
            return EXIT_INTERRUPTED
        code = execute(run, device, settings, quiet=jobs > 1)
        if code == EXIT_INTERRUPTED:
            interrupted.set()
        return code

    with ThreadPoolExecutor(jobs) as pool:
        try:
            codes = list(pool.map(execute_next, runs))
        except KeyboardInterrupt:
            interrupted.set()
            raise
    if interrupted.is_set():
        raise KeyboardInterrupt
    return codes


def execute(run: Run, device: list[str], settings: list[str], *, quiet: bool) -> int:
    """Start, resume or skip a run; returns its exit code. `quiet` leaves its lines to its debug.log."""
    if _state(run.folder) == "finished":
        click.echo(f"{run.name}: finished already")
        return 0
    if run.folder.exists():
        arguments = ["--resume", str(run.folder), *device]
    else:
        arguments = [str(run.config), "--seed", str(run.seed), "--name", run.name, *device, *settings]
    click.echo(f"{run.name}: {'resumes' if run.folder.exists() else 'starts'}")
    command = [sys.executable, str(ROOT / "launch_experiment.py"), *arguments]
    if not quiet:
        code = subprocess.run(command, check=False).returncode
    else:
        result = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        code = result.returncode
        if code:
            click.echo(f"{run.name}: {result.stderr.strip()}", err=True)
    click.echo(f"{run.name}: {'finished' if code == 0 else f'ended with exit code {code}'}")
    return code


def _state(folder: Path) -> str | None:
    try:
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return status.get("state") if isinstance(status, dict) else None


if __name__ == "__main__":
    main()
