"""What ends a run before its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals

import numpy as np

EXIT_FAILED, EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 1, 2, 130
"""Exit codes of every command; 0 also where SIGTERM stopped a run in good order."""


class UserError(Exception):
    """Wrong input: one line that names the value, the place and the choices. Commands exit with code 2."""


class RunError(Exception):
    """A run that cannot go on: one line that says what, where and when. Commands exit with code 1."""


class NonFiniteError(RunError):
    """A quantity of the training step is NaN or infinite.

    Attributes:
        arrays: the inputs of the step, for a dump.
    """

    def __init__(self, quantities: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
        """`quantities` are named by their column of progress.csv."""
        super().__init__(f"{', '.join(quantities)} not finite")
        self.arrays = arrays


class StopRequested(Exception):
    """The user or the machine asked the run to stop; it can be resumed.

    Attributes:
        signal: what came.
        folder: of the run that stopped, once there is one.
    """

    def __init__(self, received: Signals) -> None:
        """`received` is SIGINT or SIGTERM."""
        super().__init__(f"stopped by {received.name}")
        self.signal = received
        self.folder: Path | None = None
