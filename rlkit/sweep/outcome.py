"""What a study leaves when it ends: study.csv and its picture."""

from __future__ import annotations

import math
from pathlib import Path

from rlkit.sweep.best import NUM_BEST, standings
from rlkit.sweep.points import shown_settings
from rlkit.sweep.session import TABLE_FILE, Session
from rlkit.viz import style
from rlkit.viz.grouping import MAX_LABEL
from rlkit.viz.study import Best, PointValues, draw_study

PICTURE_FILE = "study.png"


def draw_outcome(session: Session) -> list[Path]:
    """Draw the picture, where any run has a value; returns the files that there are."""
    found = standings(session.entries, session.study.mode)
    files = [session.folder / TABLE_FILE]
    if found:
        points = [
            PointValues(
                one.point.settings,
                [entry.value for entry in one.entries if math.isfinite(entry.value)],
                one.is_complete,
            )
            for one in found
        ]
        best = [
            Best(_label(one.point.number, shown_settings(one.point.settings)), [e.run.folder for e in one.entries])
            for one in found[:NUM_BEST]
        ]
        keys = {key: axis.is_log for key, axis in session.study.space.items()}
        figure = draw_study(points, keys, session.study.metric, best, session.base.env_name)
        files.append(style.save(figure, session.folder / PICTURE_FILE))
    return files


def _label(number: int, text: str) -> str:
    """The point's settings, or its number alone where they are long."""
    return text if len(text) <= MAX_LABEL else f"{number:03}"
