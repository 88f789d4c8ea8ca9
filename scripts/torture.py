"""Kill runs at random moments, resume each to its end, and compare progress.csv with a run that nobody killed."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from rlkit.launchers.runs import LAUNCHER, ROOT
from rlkit.runs.folder import PROGRESS_FILE, STATUS_FILE, VARIANT_FILE, RunFolder
from rlkit.util.command import Command, UserPath, run_command

Rows = list[dict[str, str]]
SETTINGS: dict[str, object] = {
    "algo_params.num_iterations": 6,
    "algo_params.num_train_steps_per_itr": 20,
    "algo_params.meta_batch": 4,
    "algo_params.batch_size": 32,
    "algo_params.num_initial_steps": 200,
    "algo_params.num_evals": 1,
    "algo_params.num_tasks_sample": 4,
    "n_train_tasks": 12,
    "n_eval_tasks": 4,
    "net_size": 32,
    "util_params.plots": False,
    "util_params.num_threads": 1,
}


@click.command(cls=Command, help=__doc__)
@click.option(
    "--env", "envs", multiple=True, default=("point-robot", "cheetah-vel"), show_default=True, help="Configs."
)
@click.option(
    "--kills", default=20, show_default=True, type=click.IntRange(min=1), help="Runs killed, of each config."
)
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
@click.option("--folder", type=UserPath(), help="Where to run (default: a temporary folder).")
def main(envs: Sequence[str], kills: int, seed: int, folder: Path | None) -> int:
    """Count the runs whose rows are all equal; exit code 1 unless every one is."""
    rng = random.Random(seed)
    equal = 0
    with tempfile.TemporaryDirectory() as temporary:
        for env in envs:
            base = (folder or Path(temporary)) / "torture"
            seconds = run(command(env, base, "whole"))
            expected = rows(base / env / "whole")
            for number in range(kills):
                name = f"killed-{number}"
                words, killed = command(env, base, name), base / env / name
                moment = kill_at_random(words, killed, rng, seconds)
                go_on(words, killed)
                same = rows(killed) == expected
                equal += same
                click.echo(f"{env} {name}: killed after {moment}: {'equal' if same else 'DIFFERENT'}")
    click.echo(f"{equal} of {kills * len(envs)} equal to the run that nobody killed")
    return 0 if equal == kills * len(envs) else 1


def command(env: str, base: Path, name: str) -> list[str]:
    """The short run, with a folder of its own."""
    words = [sys.executable, str(LAUNCHER), str(ROOT / f"configs/{env}.json"), "--cpu", "--seed", "3", "--name", name]
    return words + set_options({**SETTINGS, "util_params.base_log_dir": str(base)})


def set_options(settings: Mapping[str, object]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def run(words: list[str]) -> float:
    """Run to the end; returns the seconds that it took."""
    start = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def kill_at_random(words: list[str], folder: Path, rng: random.Random, seconds: float) -> str:
    """Start a run and kill it at some moment after its folder is there; says how far it had come."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while not (folder / STATUS_FILE).exists() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.6 * seconds))
    process.kill()
    process.wait()
    return progress(folder)


def progress(folder: Path) -> str:
    return f"{len(rows(folder))} rows, {len(list(folder.glob('checkpoints/*.json')))} checkpoints"


def go_on(words: list[str], folder: Path) -> None:
    """Take a run to its end, from its start where it left nothing; one that had ended is complete."""
    if not RunFolder(folder).is_finished:
        run([*words[:2], "--resume", str(folder)] if (folder / VARIANT_FILE).exists() else words)


def rows(folder: Path) -> Rows:
    """The rows of progress.csv without their times; none where there is no such file."""
    path = folder / PROGRESS_FILE
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if "(s)" not in name} for row in csv.DictReader(file)]


if __name__ == "__main__":
    run_command(main)
