"""Kill a machine of a Ray cluster while it trains, and compare the study's runs with runs that nobody killed.

The cluster is three machines that are processes here. One of them is killed with all that runs on it, by SIGKILL,
when a run of its own has a row and is not at its end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from rlkit.config.files import changed_config, load_config
from rlkit.launchers.runs import LAUNCHER, ROOT
from rlkit.runs.folder import RunFolder
from rlkit.util.command import Command, UserPath, run_command
from torture import SETTINGS, Rows, rows, run

KEY, VALUES = "algo_params.kl_lambda", (0.1, 0.3)
ENV = "point-robot"
RUN_NAME = re.compile(r"/\d{3}-s\d+$")  # of a run of a study, at the end of a word of its process


@click.command(cls=Command, help=__doc__)
@click.option("--kills", default=10, show_default=True, type=click.IntRange(min=1), help="Studies, one machine each.")
@click.option("--iterations", default=20, show_default=True, type=click.IntRange(min=2), help="Of each run.")
@click.option("--seeds", default=2, show_default=True, type=click.IntRange(min=1), help=f"Of {len(VALUES)} points.")
@click.option("--folder", type=UserPath(), help="Where to run (default: a temporary folder).")
def main(kills: int, iterations: int, seeds: int, folder: Path | None) -> int:
    """Count the studies whose runs all finished with equal rows; exit code 1 unless every one is."""
    equal = 0
    with tempfile.TemporaryDirectory() as temporary:
        base = (folder or Path(temporary)).absolute()
        study = write_study(base, iterations, seeds)
        names = [f"{point:03}-s{seed}" for point in range(len(VALUES)) for seed in range(seeds)]
        expected = {name: undisturbed(base, name) for name in names}
        for number in range(kills):
            start = time.monotonic()
            killed, code = disturbed(base, study, f"study-{number}")
            found = {name: rows(base / "output" / ENV / f"study-{number}" / name) for name in names}
            same = bool(killed) and code == 0 and found == expected
            equal += same
            how = "equal" if same else f"DIFFERENT (exit code {code})"
            seconds = time.monotonic() - start
            click.echo(f"study {number}: killed a machine with {killed or 'nothing on it'}: {how}, {seconds:.0f} s")
    click.echo(f"{equal} of {kills} studies equal to the runs that nobody killed")
    return 0 if equal == kills else 1


def write_study(base: Path, iterations: int, seeds: int) -> Path:
    """A study of short runs, and its config, below `base`."""
    own = {"algo_params.num_iterations": iterations, "util_params.base_log_dir": str(base / "output")}
    config = changed_config(load_config(ROOT / f"configs/{ENV}.json"), SETTINGS | own)
    base.mkdir(parents=True, exist_ok=True)
    (base / "base.json").write_text(json.dumps(config.model_dump()))
    study = base / "study.json"
    study.write_text(json.dumps({"base": "base.json", "space": {KEY: {"grid": VALUES}}, "seeds": seeds}))
    return study


def undisturbed(base: Path, name: str) -> Rows:
    """The rows of a run of the study that the launcher makes by itself."""
    number, _, seed = name.partition("-s")
    words = [sys.executable, str(LAUNCHER), str(base / "base.json"), "--cpu", "--seed", seed]
    run([*words, "--name", f"alone-{name}", "--set", f"{KEY}={VALUES[int(number)]}"])
    return rows(base / "output" / ENV / f"alone-{name}")


def disturbed(base: Path, study: Path, name: str) -> tuple[str, int]:
    """Run the study on a cluster and kill a machine of it; what ran there, and the study's exit code."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
        words = [sys.executable, str(ROOT / "scripts/sweep.py"), str(study), "--name", name]
        process = subprocess.Popen([*words, "--address", cluster.address], stdout=subprocess.DEVNULL)
        raylets = [machine.all_processes["raylet"][0].process.pid for machine in machines]
        killed = ""
        while not killed and process.poll() is None:
            time.sleep(0.05)
            tries = (kill_if_training(raylet, base / "output" / ENV / name) for raylet in raylets)
            killed = next(filter(None, tries), "")
        return killed, process.wait()
    finally:
        cluster.shutdown()


def kill_if_training(raylet: int, folder: Path) -> str:
    """Kill a machine, if a run of its own is in the middle; the run's name and how far it was, or nothing."""
    tree = list(descendants(raylet))
    for pid in tree:
        name = next((word.rpartition("/")[2] for word in command_of(pid) if RUN_NAME.search(word)), "")
        if name and rows(folder / name) and not RunFolder(folder / name).is_finished:
            for one in (raylet, *tree):
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            return f"{name} after {len(rows(folder / name))} rows"
    return ""


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield int(child)
            yield from descendants(int(child))


def command_of(pid: int) -> list[str]:
    """The words of a process, none where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


if __name__ == "__main__":
    run_command(main)
