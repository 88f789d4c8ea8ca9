"""Kill runs at random moments, resume each to its end, and compare progress.csv with a run that nobody killed."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from rlkit.runs.folder import STATUS_FILE, RunFolder
from rlkit.util.command import Command, UserPath, run_command

ROOT = Path(__file__).parent.parent
LAUNCHER = ROOT / "launch_experiment.py"
SETTINGS = {
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
                moment = kill_at_random(command(env, base, name), base / env / name, rng, seconds)
                resume(base / env / name, command(env, base, name))
                same = rows(base / env / name) == expected
                equal += same
                click.echo(f"{env} {name}: killed {moment}: {'equal' if same else 'DIFFERENT'}")
    click.echo(f"{equal} of {kills * len(envs)} equal to the run that nobody killed")
    return 0 if equal == kills * len(envs) else 1


def command(env: str, base: Path, name: str) -> list[str]:
    """The short run, with a folder of its own."""
    words = [sys.executable, str(LAUNCHER), str(ROOT / f"configs/{env}.json"), "--cpu", "--seed", "3", "--name", name]
    for key, value in {**SETTINGS, "util_params.base_log_dir": str(base)}.items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    return words


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
    return f"after {len(rows(folder))} rows, {len(list(folder.glob('checkpoints/*.json')))} checkpoints"


def resume(folder: Path, words: list[str]) -> None:
    """Go on to the end; a run that had ended before it was killed is complete."""
    if not RunFolder(folder).is_finished:
        run([*words[:2], "--resume", str(folder)])


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of progress.csv without their times."""
    path = folder / "progress.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return [{name: value for name, value in row.items() if "(s)" not in name} for row in csv.DictReader(file)]


if __name__ == "__main__":
    run_command(main)
