"""The first hour on a GPU, in one command: tests, graph against no graph, speed, memory, and a run of cheetah-vel.

Each part is a process with a time limit; what it says is in OUT/PART.log, its figures in OUT/PART.json, how it ended
in OUT/results.json. With --to-docs a folder that was made so goes into docs/performance.md and docs/results.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from rlkit.launchers.runs import ROOT
from rlkit.reproduction.collect import note_session
from rlkit.reproduction.plan import Plan, Reproduction
from rlkit.reproduction.results import SECONDS, read_columns
from rlkit.runs.folder import PROGRESS_FILE
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import EXIT_FAILED, UserError
from rlkit.util.files import read_json, replacing, write_json
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT

PAGE = ROOT / "docs" / "performance.md"
TESTS = ("tests/torch", "tests/data_management", "tests/test_launcher.py", "tests/test_resume.py")  # marked gpu: some
FIGURES = {"graph": 1.0, "gpu": 6.0, "iteration": 1.0, "memory": 1.0}  # sections of the benchmark, minutes at most
EXPERIMENT = "cheetah-vel"
MINUTES = 20.0  # of all parts
TO_STOP = 20.0  # seconds that a part has to end well when its time is up
DONE, FAILED, OUT_OF_TIME = "done", "failed", "out of time"
BEGIN, END = "<!-- made by scripts/gpu_check.py --to-docs FOLDER -->\n", "<!-- end -->\n"  # around the table


class Part(NamedTuple):
    """One thing to find out."""

    name: str
    minutes: float | None  # at most; None: all that are left
    command: tuple[str, ...]  # behind the interpreter, in the repository's root


def reproduction_of(out: Path) -> Reproduction:
    return Reproduction(out / "runs", ROOT / "results", ROOT / "docs" / "results.md")


def plan_of(reproduction: Reproduction) -> Plan:
    """The run: the one that scripts/reproduce.py plans, so that it can be kept as that, and go on as that."""
    experiment = reproduction.find(EXPERIMENT)
    return reproduction.plan(experiment, experiment.arms[0], 0)


def parts(out: Path) -> list[Part]:
    """What is done, in order: what others rely on first."""
    tests = ("-m", "pytest", "-vv", "-p", "no:cacheprovider", "-m", "gpu", *TESTS)
    figures = ("--device", "cuda", "--seconds", "2", "--json")
    benchmarks = [
        Part(section, minutes, ("scripts/benchmark.py", section, *figures, str(out / f"{section}.json")))
        for section, minutes in FIGURES.items()
    ]
    train = plan_of(reproduction_of(out)).run.command(["--gpu", "0"])[1:]
    return [Part("tests", 4.0, tests), *benchmarks, Part("train", None, tuple(train))]


@click.command(cls=Command, help=__doc__)
@click.option("--out", type=UserPath(), default=Path("output/gpu_check"), show_default=True)
@click.option("--minutes", default=MINUTES, show_default=True, type=click.FloatRange(min=1.0), help="Of all parts.")
@click.option(
    "--to-docs", "folder", type=UserPath(exists=True, file_okay=False), help="An OUT of before; runs nothing."
)
def main(out: Path, minutes: float, folder: Path | None) -> int:
    """Run the parts; exit code 1 where one of them is not done."""
    if folder is not None:
        to_docs(folder.resolve(), PAGE, reproduction_of(folder.resolve()))
        return 0
    import torch

    if not torch.cuda.is_available():
        names = ", ".join(part.name for part in parts(out))
        raise UserError(
            f"there is no GPU here; on one this takes {minutes:g} minutes for: {names} (results in {out})"
        )
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    machine = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "cuda": torch.version.cuda}
    results = run_parts(parts(out), out, 60 * minutes, machine)
    run = plan_of(reproduction_of(out)).run
    if run.folder.exists():
        note_session(run, 0, "cuda")
    return 0 if set(results.values()) == {DONE} else EXIT_FAILED


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
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with (out / f"{part.name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *part.command],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            return DONE if process.wait(seconds) == 0 else FAILED
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return DONE if process.wait(TO_STOP) == 0 and part.minutes is None else OUT_OF_TIME
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return OUT_OF_TIME


def to_docs(folder: Path, page: Path, reproduction: Reproduction) -> None:
    """Put the figures of `folder` into `page`, and its run, once it is finished, into the page of results.

    Raises:
        UserError: the folder is none of this command's, or `page` has no place for it.
    """
    from rlkit.reproduction.remake import remake  # here, as a bare GPU machine lacks what draws

    said = read_json(folder / "results.json")
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not isinstance(said, dict) or not end:
        raise UserError(f"{folder} has no results.json" if end else f"{page} has no place for the figures: {BEGIN}")
    with replacing(page) as file:
        file.write("\n".join([head + begin, *described(folder, said, reproduction), end + tail]).encode())
    click.echo(page)
    remake(reproduction)


def described(folder: Path, said: Mapping[str, Any], reproduction: Reproduction) -> Iterator[str]:
    """The machine, how each part ended, how far the run came, and a row for each figure, in Markdown."""
    from benchmarks.timing import Case

    machine = ", ".join(f"{name} {value}" for name, value in said["machine"].items())
    yield f"{machine}.\n\n" + "; ".join(f"{name}: {state}" for name, state in said["parts"].items()) + ".\n"
    progress = plan_of(reproduction).run.folder / PROGRESS_FILE
    if progress.exists():
        columns = read_columns(progress)
        took, steps, reached = (columns[name][-1] for name in (SECONDS, X_DEFAULT, Y_DEFAULT))
        yield f"{EXPERIMENT} returned {reached:.1f} on unseen tasks after {took / 60:.1f} min, {steps:,.0f} steps.\n"
    yield "| what | takes | limit | ratio | | |\n| --- | --- | --- | --- | --- | --- |"
    for section in FIGURES:
        for name, figures in (read_json(folder / f"{section}.json") or {section: {}})[section].items():
            yield f"| {' | '.join((f'{section}: {name}', *Case(**figures).cells()))} |"
    yield ""


if __name__ == "__main__":
    run_command(main)
