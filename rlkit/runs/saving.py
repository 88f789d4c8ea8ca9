"""RunSaver: writes a run's checkpoints, and puts a run back to where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlkit.core.rl_algorithm import MetaRLAlgorithm, Progress
from rlkit.data_management.experience import Experience
from rlkit.data_management.journal import Mark
from rlkit.runs.checkpoint import JOURNAL_FILE, Checkpoint, CheckpointStore
from rlkit.runs.folder import PROGRESS_FILE
from rlkit.runs.logger import Position
from rlkit.runs.progress_csv import find_rows
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import RunError, UserError


class RunSaver:
    """Saves and restores algorithm, training phase and buffers of one run."""

    def __init__(
        self, folder: Path, keep: int, *, algorithm: MetaRLAlgorithm, training: TrainingPhase, experience: Experience
    ) -> None:
        """Checkpoints go below `folder`, the newest `keep` of them stay."""
        self._folder = folder
        self._store = CheckpointStore(folder, keep)
        self._algorithm = algorithm
        self._training = training
        self._experience = experience

    def begin(self, position: Position) -> None:
        """A new run: journal what it collects, and save where it begins."""
        self._experience.begin_journal(self._folder / JOURNAL_FILE)
        self.save(position)

    def save(self, position: Position) -> None:
        """Write a checkpoint that goes with progress.csv as of `position`."""
        progress, mark, seconds = self._algorithm.state()
        state = {
            "progress": progress._asdict(),
            "journal": mark._asdict(),
            "place": position._asdict(),
            "seconds": seconds,
        }
        numbers = self._store.numbers()
        self._store.save(numbers[-1] + 1 if numbers else 1, Checkpoint(self._training.arrays(), state))

    def restore(self, say: Callable[[str], None]) -> Position | None:
        """Go on from the newest checkpoint that is whole, telling of those that are not.

        Returns:
            The position in progress.csv that it goes with; None where there is no checkpoint.

        Raises:
            UserError: there are checkpoints, but all are damaged.
        """
        if not self._store.numbers():
            return None
        damage: list[str] = []
        for number in reversed(self._store.numbers()):
            try:
                checkpoint = self._store.load(number)
                position = self._restore(checkpoint)
            except RunError as error:
                damage.append(str(error))
                continue
            for found in damage:
                say(f"{found}; trying the checkpoint before it")
            for newer in self._store.numbers():
                if newer > number:
                    self._store.remove(newer)
            return position
        raise UserError(f"{self._folder} has no whole checkpoint to resume from: {'; '.join(damage)}")

    def _restore(self, checkpoint: Checkpoint) -> Position:
        try:
            progress = Progress(**_whole_numbers(checkpoint.state["progress"]))
            position = _position(checkpoint.state["place"])
            mark = Mark(int(checkpoint.state["journal"]["num_bytes"]), str(checkpoint.state["journal"]["sha256"]))
            seconds = {name: float(value) for name, value in checkpoint.state["seconds"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"a checkpoint of {self._folder} lacks a part: {error}") from None
        find_rows(self._folder / PROGRESS_FILE, position.csv_bytes, position.iterations, position.csv_sha256)
        self._experience.resume_journal(self._folder / JOURNAL_FILE, mark)
        self._training.restore_arrays(checkpoint.arrays)
        self._algorithm.restore(progress, seconds)
        return position


def _position(saved: Mapping[str, Any]) -> Position:
    return Position(int(saved["csv_bytes"]), int(saved["iterations"]), str(saved.get("csv_sha256", "")))


def _whole_numbers(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(value) for name, value in values.items()}
