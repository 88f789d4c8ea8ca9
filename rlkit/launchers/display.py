"""What the user sees while a run goes on: a progress bar on a terminal, a line per iteration everywhere."""

from __future__ import annotations

import time
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from rlkit.core.rl_algorithm import DIVERGED_COLUMN, Display
from rlkit.runs.folder import RunFolder
from rlkit.runs.logger import LOGGER
from rlkit.runs.progress_csv import EVALUATED, Row
from rlkit.util.command import Screen
from rlkit.util.timing import clock


class ConsoleDisplay(Display):
    """Shows iteration, phase, speeds, returns and time left. A context manager: the bar lives inside the block."""

    def __init__(self, num_iterations: int) -> None:
        """`num_iterations` is the last iteration's number."""
        self._num_iterations = num_iterations
        self._done = self._done_before = 0
        self._start = time.perf_counter()
        self._rates = self._test_return = ""
        self._last_row: Row = {}
        self.console = Console(file=cast("IO[str]", Screen()), highlight=False, soft_wrap=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=1, rate="")
        self._phase_start, self._phase_done = time.perf_counter(), 0

    def go_on_from(self, iterations: int, train_steps: int, env_steps: int) -> None:
        self._done = self._done_before = iterations
        self._last_row = {"Number of train steps total": train_steps, "Number of env steps total": env_steps}

    def __enter__(self) -> ConsoleDisplay:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line, and keep it in debug.log."""
        self.console.print(text, markup=False)
        LOGGER.info(text)

    def phase(self, name: str, total: int) -> None:
        self._phase_start, self._phase_done = time.perf_counter(), 0
        description = f"iteration {min(self._done + 1, self._num_iterations)}/{self._num_iterations} {name}"
        self._bar.reset(self._task, total=total, description=description, rate=self._rates)

    def advance(self, num_steps: int) -> None:
        self._phase_done += num_steps
        rate = self._phase_done / max(time.perf_counter() - self._phase_start, 1e-9)
        self._bar.update(self._task, advance=num_steps, rate=f"{rate:,.0f}/s {self._rates}")

    def iteration_done(self, row: Row) -> None:
        gradient_steps, env_steps = (
            (row[column] or 0) - (self._last_row.get(column) or 0)
            for column in ("Number of train steps total", "Number of env steps total")
        )
        self._last_row = row
        self._done += 1
        elapsed = time.perf_counter() - self._start
        left = elapsed / (self._done - self._done_before) * (self._num_iterations - self._done)
        returns = ""
        if "AverageReturn" in row:
            returns = f" | test return {row['AverageReturn']:.2f} (train {row['AverageReturn_all_train_tasks']:.2f})"
            self._test_return = f"test return {row['AverageReturn']:.2f}"
        self._rates = f"{self._test_return}, {clock(left)} left"
        diverged = f" | {row[DIVERGED_COLUMN]} episodes diverged" if row.get(DIVERGED_COLUMN) else ""
        self.say(
            f"iteration {self._done}/{self._num_iterations}{returns}"
            f" | {gradient_steps / _seconds(row, 'Train Time (s)'):,.0f} gradient steps/s"
            f" | {env_steps / _seconds(row, 'Sample Time (s)'):,.0f} env steps/s"
            f" | {row['Number of env steps total']:,} env steps{diverged}"
            f" | {clock(elapsed)}, {clock(left)} left"
        )

    def summary(self, folder: RunFolder) -> None:
        """The table at the end of a run, of the evaluations in its progress.csv."""
        rows = [row for row in folder.rows() if EVALUATED in row]
        columns = (Column(f"{which} iteration", justify="right") for which in ("first", "last"))
        table = Table("", *columns, title="Unseen tasks")
        for when, column in (("before", "Test Return Trajectory 1"), ("after", EVALUATED)):
            if column in rows[-1]:
                table.add_row(f"return {when} adaptation", *(f"{row[column]:.2f}" for row in (rows[0], rows[-1])))
        self.console.print(table)
        self.say(f"time    {clock(rows[-1]['Total Train Time (s)'])}")
        self.say(f"results {folder.path}")


def _seconds(row: Row, column: str) -> float:
    return max(row[column] or 0.0, 1e-9)
