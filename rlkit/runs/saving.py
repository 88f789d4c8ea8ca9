"""RunSaver: writes a run's checkpoints, and puts a run back to where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
        number = max(self._store.numbers(), default=0) + 1
        self._store.save(number, Checkpoint(self._training.arrays(), state))

    def restore(self, say: Callable[[str], None]) -> Position | None:
        """Go on from the newest checkpoint that is whole, telling of those that are not.

        Returns:
            The position in progress.csv that it goes with; None where there is no checkpoint.

        Raises:
            UserError: there are checkpoints, but all are damaged.
        """
        damage: dict[int, str] = {}
        for number in reversed(self._store.numbers()):
            try:
                position = self._restore(self._store.load(number))
            except RunError as error:
                damage[number] = str(error)
                continue
            for newer, fault in damage.items():
                say(f"{fault}; trying the checkpoint before it")
                self._store.remove(newer)
            return position
        if not damage:
            return None
        raise UserError(f"{self._folder} has no whole checkpoint to resume from: {'; '.join(damage.values())}")

    def _restore(self, checkpoint: Checkpoint) -> Position:
        state = checkpoint.state
        try:
            progress = Progress(**{name: int(value) for name, value in state["progress"].items()})
            mark = Mark(int(state["journal"]["num_bytes"]), str(state["journal"]["sha256"]))
            place = state["place"]
            position = Position(int(place["csv_bytes"]), int(place["iterations"]), str(place.get("csv_sha256", "")))
            seconds = {name: float(value) for name, value in state["seconds"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"a checkpoint of {self._folder} lacks a part: {error}") from None
        find_rows(self._folder / PROGRESS_FILE, position.csv_bytes, position.iterations, position.csv_sha256)
        self._experience.resume_journal(self._folder / JOURNAL_FILE, mark)
        self._training.restore_arrays(checkpoint.arrays)
        self._algorithm.restore(progress, seconds)
        return position
