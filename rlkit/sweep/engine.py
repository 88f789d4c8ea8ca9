"""Carrying out work: one run at a time in this process's care, or several on Ray.

Ray is imported where several run at a time, and only then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from rlkit.sweep.launch import POLL_SECONDS, Launch
from rlkit.sweep.study import Asha
from rlkit.sweep.work import Work
from rlkit.util.errors import UserError
from rlkit.util.signals import StopSignal


@dataclass(frozen=True)
class Means:
    """What runs are carried out with."""

    device: Sequence[str] | None = None  # the launcher's options; None: the GPU that Ray gives the run, or the CPU
    jobs: int | None = None  # runs at a time; None: as many as the machines have room for
    cpus: float = 1.0  # of each run
    gpus: float | None = 0.0  # of each run, may be a fraction; None: one, or a share of it, where there are any
    address: str | None = None  # of a running cluster; None: this machine alone
    metric: str = "AverageReturn_all_test_tasks"  # column of progress.csv that is told and compared
    mode: str = "max"  # or "min": whether much of it is good
    asha: Asha | None = None  # ends runs early
    store: str | None = None  # URI where run folders are kept for machines that share none
    deadline: float = math.inf  # on time.monotonic; then runs are stopped, to be resumed, and no other starts

    @property
    def needs_ray(self) -> bool:
        """Whether this is more than one run at a time on this machine."""
        return self.jobs != 1 or any(part is not None for part in (self.address, self.asha, self.store))


def execute(work: Work, means: Means) -> None:
    """Take on all that `work` hands out.

    Raises:
        UserError: there is no such cluster, or none of its machines has what a run needs.
        KeyboardInterrupt: SIGINT or SIGTERM came; the runs were stopped so that they can be resumed.
    """
    if not means.needs_ray:
        _execute_alone(work, means)
        return
    try:
        from rlkit.sweep.on_ray import execute_on_ray
    except ModuleNotFoundError as error:
        raise UserError(
            f"several runs at a time need Ray ({error.name} is missing): pip install 'pearl-meta-rl[sweep]',"
            " or give --jobs 1"
        ) from None
    execute_on_ray(work, means)


def _execute_alone(work: Work, means: Means) -> None:
    device = means.device if means.device is not None else ([] if means.gpus != 0 else ["--cpu"])
    with StopSignal() as stop:

        def is_over() -> bool:
            return stop.received is not None or time.monotonic() >= means.deadline

        while not is_over() and (run := work.next()) is not None:
            work.starts(run)
            has_begun, outcome = False, None
            with closing(Launch(run, device, means.metric, shows=work.shows_launcher)) as launch:
                while outcome is None:
                    outcome = launch.look()
                    if launch.has_begun and not has_begun:
                        has_begun = True
                        work.began(run, launch.iterations_before)
                    for row in launch.rows():
                        work.row(run, row)
                    if is_over():
                        launch.stop()
                    if outcome is None:
                        time.sleep(POLL_SECONDS)
            work.ended(run, outcome)
    if stop.received:
        raise KeyboardInterrupt
