"""The first hour on a GPU, in one command: tests, graph against no graph, speed, memory, and a run of cheetah-vel.

Each part is a process with a time limit; what it says is in OUT/PART.log, how it ended in OUT/results.json.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click

from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import EXIT_FAILED, UserError
from rlkit.util.files import write_json

ROOT = Path(__file__).parent.parent
MINUTES = 20.0  # of all parts
TO_STOP = 20.0  # seconds that a part has to end well when its time is up
DONE, FAILED, OUT_OF_TIME = "done", "failed", "out of time"


class Part(NamedTuple):
    """One thing to find out."""

    name: str
    minutes: float | None  # at most; None: all that are left
    command: tuple[str, ...]  # behind the interpreter, in the repository's root


def parts(out: Path, device: str) -> list[Part]:
    """What is done, in order: what others rely on first."""

    def benchmark(section: str, minutes: float) -> Part:
        figures = str(out / f"{section}.json")
        return Part(section, minutes, ("scripts/benchmark.py", section, "--device", device, "--json", figures))

    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", device, f"--junitxml={out / 'tests.xml'}", "tests")
    settings = ("algo_params.num_iterations=100000", f"util_params.base_log_dir={out / 'runs'}")
    run = ("launch_experiment.py", "configs/cheetah-vel.json", "--seed", "1", "--name", "gpu_check")
    return [
        Part("tests", 4.0, tests),
        benchmark("graph", 1.0),
        benchmark("gpu", 5.0),
        benchmark("iteration", 1.0),
        benchmark("memory", 1.0),
        Part("train", None, (*run, *(word for setting in settings for word in ("--set", setting)))),
    ]


@click.command(cls=Command, help=__doc__)
@click.option("--out", type=UserPath(), default=Path("output/gpu_check"), show_default=True)
@click.option("--minutes", default=MINUTES, show_default=True, type=click.FloatRange(min=1.0), help="Of all parts.")
def main(out: Path, minutes: float) -> int:
    """Run the parts; exit code 1 where one of them failed."""
    import torch

    if not torch.cuda.is_available():
        names = ", ".join(part.name for part in parts(out, "cuda"))
        raise UserError(
            f"there is no GPU here; on one this takes {minutes:g} minutes for: {names} (results in {out})"
        )
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    machine = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "cuda": torch.version.cuda}
    results = run_parts(parts(out, "cuda"), out, 60 * minutes, machine)
    return EXIT_FAILED if FAILED in results.values() else 0


def run_parts(todo: list[Part], out: Path, seconds: float, machine: dict[str, str | None]) -> dict[str, str]:
    """Run `todo` in `seconds`, each whatever became of the others; returns how each ended."""
    end = time.monotonic() + seconds
    results: dict[str, str] = {}
    for part in todo:
        left = end - time.monotonic() - TO_STOP
        limit = left if part.minutes is None else min(60 * part.minutes, left)
        results[part.name] = run_part(part, out, limit) if limit > 0 else OUT_OF_TIME
        write_json(out / "results.json", {"machine": machine, "parts": results})
        click.echo(f"{part.name}: {results[part.name]} ({out / part.name}.log)")
    return results


def run_part(part: Part, out: Path, seconds: float) -> str:
    """Run one part; when its time is up it is asked to stop, as a run of training does in good order, then killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (out / f"{part.name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *part.command],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                stopped_well = process.wait(TO_STOP) == 0
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                stopped_well = False
            return DONE if stopped_well and part.minutes is None else OUT_OF_TIME
    return DONE if code == 0 else FAILED


if __name__ == "__main__":
    run_command(main)
