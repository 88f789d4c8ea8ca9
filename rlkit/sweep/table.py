"""The points of a study, their runs and how these stand, and study.csv, which has a row per run."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rlkit.launchers.runs import Run
from rlkit.sweep.launch import State
from rlkit.sweep.study import Settings
from rlkit.util.errors import UserError
from rlkit.util.files import replacing


class Point(NamedTuple):
    """One place of the space."""

    number: int
    settings: Settings

    @property
    def shown(self) -> str:
        """The settings as a short text, keys by their last part."""
        return ", ".join(f"{key.rsplit('.', 1)[-1]}={_short(value)}" for key, value in self.settings.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


@dataclass
class Entry:
    """One run of the study, and how it stands."""

    point: Point
    seed: int
    run: Run
    state: State = "waiting"
    iteration: int = 0
    value: float = math.nan  # while it runs its last one, then what it comes to: see `final_value`
    message: str = ""  # of a refused one, the rule that its config breaks


class TableRow(NamedTuple):
    """What a session needs of an earlier one's row."""

    settings: Settings
    state: str


def write_table(path: Path, keys: Sequence[str], entries: Sequence[Entry]) -> None:
    """Settings are written as JSON, so that what is read again is what was run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "point", "seed", *keys, "value", "state", "iteration", "folder", "message"])
    for entry in entries:
        settings = [json.dumps(entry.point.settings[key]) for key in keys]
        value = "" if math.isnan(entry.value) else repr(entry.value)
        tail = (value, entry.state, entry.iteration, entry.run.folder, entry.message)
        writer.writerow([entry.run.name, entry.point.number, entry.seed, *settings, *tail])
    with replacing(path) as file:
        file.write(text.getvalue().encode())


def read_table(path: Path, keys: Sequence[str]) -> list[TableRow]:
    """Read study.csv; no rows where there is none.

    Raises:
        UserError: it is damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                TableRow({key: json.loads(row[key]) for key in keys}, row["state"]) for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {error}") from None
