"""What is to be run, and who is told how it goes: `Work`; and a plain list of runs, told in lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import click

from rlkit.launchers.runs import Run
from rlkit.sweep.launch import Outcome, Row


class Work:
    """Hands out runs, one after the other, and hears of each; this one has none and listens to nothing.

    Attributes:
        shows_launcher: whether a run that is alone shows its own lines.
    """

    shows_launcher = False

    def next(self) -> Run | None:
        """The next run to take on; None: there is no other."""
        return None

    @property
    def is_known(self) -> bool:
        """Whether what comes next does not depend on what comes of the others, so that several may wait for room."""
        return True

    def past(self) -> Iterable[tuple[str, list[Row]]]:
        """Names and rows of the runs that ended in an earlier session."""
        return ()

    def starts(self, run: Run) -> None:
        """A process is about to work on it."""

    def began(self, run: Run, iterations: int) -> None:
        """Its folder is there; so many iterations were complete before."""

    def row(self, run: Run, row: Row) -> None:
        """An iteration is on disk."""

    def lost(self, run: Run) -> None:
        """What worked on it was killed; it is taken on again from its last checkpoint."""

    def ended(self, run: Run, outcome: Outcome) -> None:
        """It is over; one that a scheduler stopped may still be saving itself."""

    def settled(self, run: Run) -> None:
        """A run that a scheduler stopped has saved itself: it may have come further than it was told of."""


class RunList(Work):
    """Runs in their order; those that are finished, or that another process works on, are left out.

    Attributes:
        failed: those that failed.
    """

    shows_launcher = True

    def __init__(self, runs: Iterable[Run], began: Callable[[Run, int], None] = lambda run, iterations: None) -> None:
        """`began` is told of each run that goes on or has made its folder, and how many iterations it had."""
        self._waiting = deque(runs)
        self._began = began
        self.failed: list[Run] = []

    def next(self) -> Run | None:
        while self._waiting:
            run = self._waiting.popleft()
            if run.is_running:
                click.echo(f"{run.name}: another process runs it")
            elif run.is_finished:
                click.echo(f"{run.name}: finished already")
            else:
                return run
        return None

    def starts(self, run: Run) -> None:
        click.echo(f"{run.name}: {'resumes' if run.folder.exists() else 'starts'}")

    def began(self, run: Run, iterations: int) -> None:
        self._began(run, iterations)

    def lost(self, run: Run) -> None:
        click.echo(f"{run.name}: was killed and is taken on again")

    def ended(self, run: Run, outcome: Outcome) -> None:
        if outcome.state == "finished":
            click.echo(f"{run.name}: finished")
        elif outcome.state == "interrupted":
            click.echo(
                f"{run.name}: stopped after {run.iterations} of {run.num_iterations} iterations; can be resumed"
            )
        else:
            click.echo(f"{run.name}: {outcome.message}", err=True)
            self.failed.append(run)
