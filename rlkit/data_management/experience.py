"""Experience: where collected paths go, and how they come back when a run is resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rlkit.data_management.journal import Entry, Journal, Mark, read_journal
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.data_management.returns import NStepReturns
from rlkit.util.records import IndexArray, Paths


class Experience:
    """The replay buffer of all data, the recent data for the encoder, and a journal of what went into them."""

    def __init__(
        self, replay: MultiTaskReplayBuffer, recent: MultiTaskReplayBuffer, returns: NStepReturns | None = None
    ) -> None:
        """Two empty buffers of one shape; nothing is journaled before `begin_journal` or `resume_journal`.

        `returns`: how far ahead the steps of the replay buffer look; None: one step.
        """
        self.replay = replay
        self.recent = recent
        self._returns = returns
        self._journal: Journal | None = None

    def add(self, paths: Paths, *, as_context: bool) -> None:
        """Keep paths for training, and `as_context` for the encoder too."""
        self._record(Entry(paths.task, paths.length, self.replay.pack(paths), as_context))

    def clear_context(self, tasks: IndexArray) -> None:
        """Forget what the encoder knows of `tasks`: new data are coming."""
        nothing = np.zeros(0, dtype=np.int64)
        self._record(Entry(tasks, nothing, np.zeros((0, self.replay.width), dtype=np.float32), True))

    def begin_journal(self, path: Path) -> None:
        self._journal = Journal(path)

    def resume_journal(self, path: Path, mark: Mark) -> None:
        """Fill the buffers with what the journal holds before `mark`, and go on journaling behind it.

        Raises:
            RunError: the journal is damaged.
        """
        self._journal = Journal(path, mark)
        for entry in read_journal(path, mark):
            self._apply(entry)

    def mark(self) -> Mark:
        """The place that the journal has reached, safe on disk."""
        return Mark() if self._journal is None else self._journal.mark()

    def _record(self, entry: Entry) -> None:
        self._apply(entry)
        if self._journal is not None:
            self._journal.append(entry)

    def _apply(self, entry: Entry) -> None:
        if len(entry.length) == 0:
            self.recent.clear(entry.task)
            return
        ahead = entry.rows if self._returns is None else self._returns.of(entry.rows, entry.length)
        self.replay.add_rows(entry.task, entry.length, ahead)
        if entry.as_context:
            self.recent.add_rows(entry.task, entry.length, entry.rows)
