"""Several runs, so many at a time, each in a process that saves itself when it is told to stop."""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO

import click

from rlkit.launchers.runs import Run
from rlkit.runs.folder import STATUS_FILE
from rlkit.util.errors import EXIT_INTERRUPTED
from rlkit.util.signals import StopSignal

POLL_SECONDS = 0.2
EXIT_STOPPED = (0, EXIT_INTERRUPTED)  # the launcher's codes after SIGTERM and SIGINT, when the run is not finished


@dataclass
class Child:
    """The process of a run.

    Attributes:
        run: what it works on.
        process: the launcher's.
        errors: what it writes to stderr, where its lines are not shown.
        iterations: how many the run had complete before.
        has_begun: whether its folder has been seen to be there.
    """

    run: Run
    process: subprocess.Popen[bytes]
    errors: IO[bytes] | None
    iterations: int
    has_begun: bool = False


def thread_settings(jobs: int) -> list[str]:
    """Have each of several runs at a time keep to its share of the CPU."""
    if jobs == 1:
        return []
    from envs.cpus import usable_cpus  # here, as it brings mujoco

    return [f"util_params.num_threads={max(1, usable_cpus() // jobs)}"]


def execute_all(
    runs: Iterable[Run],
    device: Sequence[str],
    jobs: int,
    *,
    deadline: float = math.inf,
    began: Callable[[Run, int], None] = lambda run, iterations: None,
) -> list[Run]:
    """Start, resume or skip each of `runs`.

    Args:
        runs: in this order.
        device: the launcher's options for it.
        jobs: how many at a time; of several, the lines are left to their debug.log.
        deadline: on time.monotonic; then runs are stopped so that they can be resumed, and no other is started.
        began: is told of each run that goes on or has made its folder, and how many iterations it had complete.

    Returns:
        Those that failed.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the runs were stopped so that they can be resumed.
    """
    waiting, children, failed = deque(runs), list[Child](), list[Run]()
    is_stopping = False
    with StopSignal() as stop:
        try:
            while waiting or children:
                if not is_stopping and (stop.received or time.monotonic() >= deadline):
                    is_stopping = True
                    waiting.clear()
                    _stop(children)
                while waiting and len(children) < jobs:
                    children += _start(waiting.popleft(), device, quiet=jobs > 1)
                time.sleep(POLL_SECONDS)
                ended = [child for child in children if child.process.poll() is not None]
                for child in children:
                    if not child.has_begun and (child.run.folder / STATUS_FILE).exists():
                        child.has_begun = True
                        began(child.run, child.iterations)
                failed += [child.run for child in ended if not _went_well(child, is_stopping=is_stopping)]
                children = [child for child in children if child not in ended]
        finally:
            _stop(children)
    if stop.received:
        raise KeyboardInterrupt
    return failed


def _start(run: Run, device: Sequence[str], *, quiet: bool) -> list[Child]:
    """The run's process, if there is anything for it to do."""
    if run.is_running:
        click.echo(f"{run.name}: another process runs it")
        return []
    if run.is_finished:
        click.echo(f"{run.name}: finished already")
        return []
    click.echo(f"{run.name}: {'resumes' if run.folder.exists() else 'starts'}")
    iterations = run.iterations
    errors = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 - closed when the process has ended
    process = subprocess.Popen(
        run.command(device),
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=errors,
        start_new_session=True,  # a terminal's Ctrl-C is for this program to pass on, once
    )
    return [Child(run, process, errors, iterations)]


def _stop(children: Iterable[Child]) -> None:
    for child in children:
        child.process.terminate()


def _went_well(child: Child, *, is_stopping: bool) -> bool:
    """Say how a process ended; False where it failed."""
    run, code = child.run, child.process.returncode
    said = b""
    if child.errors is not None:
        with child.errors as file:
            file.seek(0)
            said = file.read()
    if run.is_finished:
        click.echo(f"{run.name}: finished")
        return True
    if is_stopping or code in EXIT_STOPPED:
        click.echo(f"{run.name}: stopped after {run.iterations} of {run.num_iterations} iterations; can be resumed")
        return True
    if said:
        click.echo(f"{run.name}: {said.decode(errors='replace').strip()}", err=True)
    click.echo(f"{run.name}: ended with exit code {code}")
    return False
