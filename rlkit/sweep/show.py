"""What is seen of a study while it runs: a live table on a terminal, lines elsewhere; and the table at its end."""

from __future__ import annotations

import math
import time
from collections import Counter
from types import TracebackType
from typing import IO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rlkit.sweep.best import NUM_BEST, standings
from rlkit.sweep.points import shown_settings
from rlkit.sweep.session import ENDED, Entry, Session
from rlkit.util.command import Screen
from rlkit.util.timing import clock

LINE_SECONDS = 60.0  # from one line about all runs to the next, where there is no terminal
MAX_ROWS = 20  # of the live table
WIDTH = 160  # of tables, where there is no terminal


class Show:
    """Shows a session as it goes on. A context manager: the live table is there inside the block."""

    def __init__(self, session: Session) -> None:
        self._session = session
        screen = cast("IO[str]", Screen())
        self._console = Console(
            file=screen, highlight=False, soft_wrap=True, width=None if Screen().isatty() else WIDTH
        )
        self._start = self._said = time.monotonic()
        self._done_before = self._done()
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=1)
        session.watch = self

    def __enter__(self) -> Show:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the last table where it is."""
        if self._console.is_terminal:
            self._live.stop()

    def changed(self, entry: Entry, *, is_row: bool) -> None:
        if self._console.is_terminal:
            return
        if not is_row:
            self._say(f"{_line(entry)} | {self._summary()}")
        elif time.monotonic() - self._said >= LINE_SECONDS:
            running = (_line(one) for one in self._session.entries if one.state == "running")
            self._say(f"{'; '.join(running)} | {self._summary()}")

    def result(self) -> None:
        """Print the best points, and what went wrong."""
        table = Table(title=f"{self._session.folder.name}: best of {self._session.study.num_points} points")
        for heading in ("point", "settings", "seeds", self._session.study.metric, "95 % interval", ""):
            table.add_column(heading, overflow="fold")
        for one in standings(self._session.entries, self._session.study.mode)[:NUM_BEST]:
            interval = "" if math.isnan(one.low) else f"{one.low:.2f} to {one.high:.2f}"
            count = sum(math.isfinite(entry.value) for entry in one.entries)
            states = Counter(entry.state for entry in one.entries if entry.state != "finished")
            table.add_row(
                f"{one.point.number:03}",
                shown_settings(one.point.settings),
                str(count),
                f"{one.value:.2f}",
                interval,
                ", ".join(f"{number} {state}" for state, number in states.items()),
            )
        self._console.print(table)
        for entry in self._session.entries:
            if entry.state in ("failed", "refused"):
                self._say(f"{entry.run.name} {entry.state}: {entry.message}")

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
        done, total = self._done() - self._done_before, self._session.num_runs
        left = sum(
            entry.run.num_iterations - entry.iteration for entry in entries if entry.state in ("waiting", "running")
        )
        left += (total - len(entries)) * self._session.base.algo_params.num_iterations
        elapsed = time.monotonic() - self._start
        time_left = f", {clock(elapsed / done * left)} left" if done > 0 and ended < total else ""
        return f"{ended} of {total} runs, {states['running']} running | {clock(elapsed)}{time_left}"

    def _table(self) -> Group:
        table = Table()
        for heading in ("run", "settings", "state", "iteration", "value"):
            table.add_column(heading)
        order = {"running": 0, "failed": 1}
        entries = sorted(
            self._session.entries, key=lambda entry: order.get(entry.state, 2 + (entry.state == "waiting"))
        )
        for entry in entries[:MAX_ROWS]:
            value = "" if math.isnan(entry.value) else f"{entry.value:.2f}"
            iteration = f"{entry.iteration}/{entry.run.num_iterations}"
            table.add_row(entry.run.name, shown_settings(entry.point.settings), entry.state, iteration, value)
        rest = f", {len(entries) - MAX_ROWS} more" if len(entries) > MAX_ROWS else ""
        return Group(table, Text(self._summary() + rest))


def _line(entry: Entry) -> str:
    value = "" if math.isnan(entry.value) else f" {entry.value:.2f}"
    message = f" ({entry.message})" if entry.message else ""
    return f"{entry.run.name} {entry.state} {entry.iteration}/{entry.run.num_iterations}{value}{message}"
