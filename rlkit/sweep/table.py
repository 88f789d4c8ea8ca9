"""study.csv: a row per run. Settings are written as JSON, so that what is read again is what was run."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rlkit.sweep.points import Settings
from rlkit.util.errors import UserError
from rlkit.util.files import replacing

if TYPE_CHECKING:
    from rlkit.sweep.session import Entry

HEAD = ("run", "point", "seed")
TAIL = ("value", "state", "iteration", "folder", "message")


class TableRow(NamedTuple):
    """What a session needs of an earlier one's row."""

    settings: Settings
    state: str


def write_table(path: Path, keys: Sequence[str], entries: Sequence[Entry]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*HEAD, *keys, *TAIL])
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
