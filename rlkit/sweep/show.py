"""What is seen of a study while it runs: a live table on a terminal, lines elsewhere; and the table at its end."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import IO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from rlkit.sweep.outcome import NUM_BEST, standings
from rlkit.sweep.session import ENDED, Session
from rlkit.sweep.table import Entry
from rlkit.util.command import Screen
from rlkit.util.timing import clock

LINE_SECONDS = 60.0  # from one line about all runs to the next, where there is no terminal
MAX_ROWS = 20  # of the live table
ORDER = {"running": 0, "failed": 1, "waiting": 3}  # in it; the other states are between
WIDTH = 160  # of tables, where there is no terminal


class Show:
    """Shows a session as it goes on.

    Attributes:
        live: a block in which a terminal has the live table; it leaves the last one where it is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        screen = Screen()
        width = None if screen.isatty() else WIDTH
        self._console = Console(file=cast("IO[str]", screen), highlight=False, soft_wrap=True, width=width)
        self._start = self._said = time.monotonic()
        self._done_before = self._done()
        self.live: AbstractContextManager[object] = nullcontext()
        if self._console.is_terminal:
            self.live = Live(console=self._console, get_renderable=self._table, refresh_per_second=1)
        else:
            session.on_change, session.on_row = self._say_change, self._say_row

    def result(self) -> None:
        """Print the best points, and what went wrong."""
        study = self._session.study
        headings = ("point", "settings", "seeds", study.metric, "95 % interval", "")
        columns = [Column(heading, overflow="fold") for heading in headings]
        table = Table(*columns, title=f"{self._session.folder.name}: best of {study.num_points} points")
        for one in standings(self._session.entries, study.mode)[:NUM_BEST]:
            states = Counter(entry.state for entry in one.entries if entry.state != "finished")
            table.add_row(
                f"{one.point.number:03}",
                one.point.shown,
                str(len(one.values)),
                f"{one.estimate.center:.2f}",
                "" if math.isnan(one.estimate.low) else f"{one.estimate.low:.2f} to {one.estimate.high:.2f}",
                ", ".join(f"{number} {state}" for state, number in states.items()),
            )
        self._console.print(table)
        for entry in self._session.entries:
            if entry.state in ("failed", "refused"):
                self._say(f"{entry.run.name} {entry.state}: {entry.message}")

    def _say_change(self, entry: Entry) -> None:
        self._say(f"{_line(entry)} | {self._summary()}")

    def _say_row(self, entry: Entry) -> None:
        """Now and then, a line about all."""
        if time.monotonic() - self._said >= LINE_SECONDS:
            running = (_line(one) for one in self._session.entries if one.state == "running")
            self._say(f"{'; '.join(running)} | {self._summary()}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        self._console.print(text, markup=False)

    def _done(self) -> int:
        return sum(entry.iteration for entry in self._session.entries)

    def _summary(self) -> str:
        """How many runs are in which state, and how long the rest takes if iterations come as so far."""
        entries = self._session.entries
        states = Counter(entry.state for entry in entries)
        ended = sum(states[state] for state in (*ENDED, "failed"))
        done, total = self._done() - self._done_before, self._session.study.num_runs
        left = sum(
            entry.run.num_iterations - entry.iteration for entry in entries if entry.state in ("waiting", "running")
        )
        left += (total - len(entries)) * self._session.base.algo_params.num_iterations
        elapsed = time.monotonic() - self._start
        time_left = f", {clock(elapsed / done * left)} left" if done > 0 and ended < total else ""
        return f"{ended} of {total} runs, {states['running']} running | {clock(elapsed)}{time_left}"

    def _table(self) -> Group:
        table = Table("run", "settings", "state", "iteration", "value")
        entries = sorted(self._session.entries, key=lambda entry: ORDER.get(entry.state, 2))
        for entry in entries[:MAX_ROWS]:
            value = "" if math.isnan(entry.value) else f"{entry.value:.2f}"
            iteration = f"{entry.iteration}/{entry.run.num_iterations}"
            table.add_row(entry.run.name, entry.point.shown, entry.state, iteration, value)
        rest = f", {len(entries) - MAX_ROWS} more" if len(entries) > MAX_ROWS else ""
        return Group(table, Text(self._summary() + rest))


def _line(entry: Entry) -> str:
    value = "" if math.isnan(entry.value) else f" {entry.value:.2f}"
    message = f" ({entry.message})" if entry.message else ""
    return f"{entry.run.name} {entry.state} {entry.iteration}/{entry.run.num_iterations}{value}{message}"
