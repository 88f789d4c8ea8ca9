"""Cut the power at random moments: copy the disk of a run, go on from each copy, and compare progress.csv.

Needs root and Linux: the disk is a file system in a file, which is copied while the run stands still.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rlkit.runs.folder import RunFolder
from rlkit.torch.sac.weights import WEIGHTS_SUFFIX
from rlkit.util.command import Command, run_command
from rlkit.util.errors import UserError
from torture import Rows, command, go_on, progress, rows

DISK_BYTES = 320 << 20
LONGEST_PAUSE_S = 0.2  # between two copies
NAME = "run"
TIMED = """
import os, runpy, statistics, sys, time
flush, taken, began = os.fsync, [], time.perf_counter()
def fsync(file):
    start = time.perf_counter()
    flush(file)
    taken.append(time.perf_counter() - start)
os.fsync = fsync
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    median, whole = 1e3 * statistics.median(taken), time.perf_counter() - began
    print(f"{len(taken)} times fsync, median {median:.1f} ms, {sum(taken):.2f} of {whole:.1f} s")
"""


@click.command(cls=Command, help=__doc__)
@click.option("--env", default="point-robot", show_default=True, help="Config.")
@click.option("--cuts", default=10, show_default=True, type=click.IntRange(min=1), help="Moments.")
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
@click.option("--mkfs", default="mkfs.ext4 -q -F", show_default=True, help="What makes the file system.")
def main(env: str, cuts: int, seed: int, mkfs: str) -> int:
    """Count the runs whose rows are all equal and whose weights are whole; exit code 1 unless every one is."""
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        click.echo(f"{env}, whole: {timed(command(env, base, 'whole'))}")
        expected = rows(base / env / "whole")
        rng = random.Random(seed)
        copies = copies_of_disk(env, base, rng, mkfs.split())
        equal = 0
        for copy in sorted(rng.sample(copies, min(cuts, len(copies)))):
            with mounted(copy, base / "copy") as place:
                left, outcome = outcome_of(command(env, place, NAME), place / env / NAME, expected)
            equal += outcome == "equal"
            click.echo(f"{env}, {copy.stem}: {left}: {outcome}")
    click.echo(f"{equal} of {cuts} equal to the run whose power nobody cut")
    return 0 if equal == cuts else 1


def timed(words: Sequence[str]) -> str:
    """Run the launcher to its end; returns how often it waited for the disk, and for how long."""
    done = subprocess.run([words[0], "-c", TIMED, *words[1:]], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def copies_of_disk(env: str, base: Path, rng: random.Random, mkfs: Sequence[str]) -> list[Path]:
    """Run on a new disk, and copy that at random moments from the time when the run's folder is there to the end."""
    disk = base / "disk"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run([*mkfs, str(disk)], check=True)
    copies: list[Path] = []
    with mounted(disk, base / "mounted") as place:
        process = subprocess.Popen(command(env, place, NAME), stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if (place / env / NAME).exists():
                process.send_signal(signal.SIGSTOP)
                copies.append(base / f"cut-{len(copies):03}.disk")
                subprocess.run(["cp", "--sparse=always", str(disk), str(copies[-1])], check=True)
                process.send_signal(signal.SIGCONT)
                time.sleep(rng.uniform(0, LONGEST_PAUSE_S))
    return copies


@contextlib.contextmanager
def mounted(disk: Path, place: Path) -> Iterator[Path]:
    """Mount a disk; the journal that lies on it is replayed, as after a power cut."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(disk), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def outcome_of(words: list[str], folder: Path, expected: Rows) -> tuple[str, str]:
    """How far a run was that a cut left in `folder`, and how it ends when it is taken on."""
    left = progress(folder)
    try:
        for weights in folder.glob(f"*{WEIGHTS_SUFFIX}"):
            RunFolder(folder).weights(weights.stem)
        go_on(words, folder)
    except (UserError, subprocess.CalledProcessError) as error:
        return left, f"REFUSED, {error}"
    return left, "equal" if rows(folder) == expected else "DIFFERENT"


if __name__ == "__main__":
    run_command(main)
