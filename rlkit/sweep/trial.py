"""A run as a trial of Ray Tune: a worker on some machine that takes the run's folder on to its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ray import tune

from rlkit.launchers.runs import Run
from rlkit.sweep.launch import POLL_SECONDS, Launch, Row
from rlkit.sweep.store import Store
from rlkit.util.files import replacing

REPORT_SECONDS = 2.0  # at the latest: what Tune asks for waits until a step has ended
STORE_SECONDS = 60.0  # from one copy of a run's folder to the next
ITERATION, VALUE, BEFORE, OUTCOME = "iteration", "value", "iterations_before", "outcome"
"""Keys of what a trial reports: how far, what that came to, where it began, and at its end how it ended."""


class Job(NamedTuple):
    """All that a worker on another machine needs to know of a run."""

    run: Run
    device: Sequence[str]
    metric: str
    cwd: Path  # where the study was started: modules of one's own are found from there
    config: str  # with a store, the content of the run's config file, which other machines lack
    store: str | None


class Trial(tune.Trainable):
    """Finds the run's folder and goes on with it, so that a trial that starts again repeats no more than it must."""

    def setup(self, config: dict[str, Any]) -> None:
        job: Job = config["job"]
        self._run = job.run
        self._waiting: deque[Row] = deque()
        self._store = Store(job.store) if job.store is not None else None
        self._stored = time.monotonic()
        if self._store is not None:
            self._store.fetch(job.run.folder)
            job.run.config.parent.mkdir(parents=True, exist_ok=True)
            with replacing(job.run.config) as file:
                file.write(job.config.encode())
        self._launch = Launch(job.run, job.device, job.metric, shows=False, folder=job.cwd)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next run on: a worker serves many."""
        self.cleanup()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the next iteration, for the end, or for REPORT_SECONDS; the last iteration waits for the end.

        Raises:
            RuntimeError: the run was killed, as by a machine that is out of memory; Tune starts the trial again.
        """
        until = time.monotonic() + REPORT_SECONDS
        while True:
            outcome = self._launch.look()
            self._waiting += self._launch.rows()
            self._keep(at_the_end=outcome is not None)
            if outcome is not None and outcome.was_killed:
                raise RuntimeError(outcome.message)
            has_row = bool(self._waiting) and self._waiting[0].iteration < self._run.num_iterations
            if has_row or outcome is not None or time.monotonic() >= until:
                break
            time.sleep(POLL_SECONDS)
        report: dict[str, Any] = {"done": False}
        if self._launch.has_begun:
            report[BEFORE] = self._launch.iterations_before
        if self._waiting and (has_row or outcome is not None):
            report[ITERATION], report[VALUE] = self._waiting.popleft()
        if outcome is not None and not self._waiting:
            report |= {"done": True, OUTCOME: tuple(outcome)}
        return report

    def cleanup(self) -> None:
        """Have the run save itself, and wait for it."""
        self._launch.close()
        self._keep(at_the_end=True)

    def _keep(self, *, at_the_end: bool) -> None:
        """Copy the run's folder to the store, where there is one and something new."""
        if self._store is None or not self._launch.has_begun:
            return
        if at_the_end or time.monotonic() - self._stored >= STORE_SECONDS:
            self._store.keep(self._run.folder)
            self._stored = time.monotonic()
