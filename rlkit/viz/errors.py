"""The error that wrong input to the plotting tools ends in."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class BadInput(Exception):
    """Wrong input: one line that names the value, the place and the choices. The scripts exit with code 2."""


def nearest(name: str, choices: Sequence[str]) -> str:
    """Tell which of `choices` are most like `name`, as the end of a message."""
    if not choices:
        return "there is nothing to choose from"
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4) or sorted(by_lower)[:3]
    return "the nearest are " + ", ".join(f"'{by_lower[key]}'" for key in close)
