"""results/notes.md: what people write about the results, by figure, with the numbers filled in."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

from reproduction import formats
from reproduction.figures import figure_names
from reproduction.results import Results
from rlkit.util.errors import UserError
from rlkit.viz.labels import TRAJECTORY_PREFIX, Y_DEFAULT

NOTES_FILE = "notes.md"
DIFFERENCES = "Where we differ, and why"
PLACEHOLDER = re.compile(r"\{([a-z-]+)(?:/([a-z-]+))?(?: ([^{}]+))?\}")  # {EXPERIMENT}, {EXPERIMENT/ARM QUANTITY}
NOTHING_YET = "(no finished run yet)"


def read_notes(path: Path, results: Results) -> dict[str, str]:
    """The text below each heading, numbers filled in; what is above the first one is for those who write.

    Raises:
        UserError: it cannot be read, or a heading or placeholder means nothing.
    """
    try:
        _, *sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    headings = [*(name for arms in results.values() for name in figure_names(arms[0].experiment)), DIFFERENCES]
    notes = {}
    for section in sections:
        heading, _, text = section.partition("\n")
        if heading.strip() not in headings:
            raise UserError(f"{path}: unknown heading '{heading.strip()}'; choose one of {', '.join(headings)}")
        try:
            notes[heading.strip()] = PLACEHOLDER.sub(lambda match: _value(match, results), text).strip()
        except KeyError as error:
            raise UserError(f"{path}: {heading.strip()}: no {error.args[0]}") from None
    return notes


def _value(match: re.Match[str], results: Results) -> str:
    name, label, quantity = match.groups()
    arms = {arm.arm.label: arm for arm in results.get(name, ())}
    if (label or "") not in arms:
        raise KeyError(f"such experiment or arm: {match[0]}; arms of {name}: {', '.join(arms) or 'none'}")
    arm = arms[label or ""]
    if not arm.runs:
        return NOTHING_YET
    if quantity == "band":
        low, high = arm.test_return[1:]
        return f"{formats.number(low)} to {formats.number(high)}"
    if quantity == "wall-clock":
        return formats.durations([median(run.seconds for run in arm.runs)])
    if quantity == "env steps":
        return formats.steps(median(run.env_steps for run in arm.runs))
    column = Y_DEFAULT if quantity is None else re.sub(r"^trajectory (?=\d)", TRAJECTORY_PREFIX, quantity)
    if any(column not in run.columns for run in arm.runs):
        raise KeyError(f"such quantity or column: {match[0]}")
    return formats.number(arm.estimate(column).center)
