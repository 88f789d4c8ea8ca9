"""Texts of users and strangers: what can be written, how they are shown, and what they may have meant."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Sequence

MAX_TEXT, SHOWN_OF_LONG = 1000, 60  # characters


def is_writable(text: str) -> bool:
    """Whether `text` can be a file's name or content: JSON allows characters that neither can have."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def one_line(text: str) -> str:
    """`text` with what is not printable escaped, line ends and broken characters included."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def nearest(name: str, choices: Sequence[str]) -> str:
    """Tell which of `choices` are most like `name`, as the end of a message."""
    if not choices:
        return "there is nothing to choose from"
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4) or sorted(by_lower)[:3]
    return "the nearest are " + ", ".join(f"'{by_lower[key]}'" for key in close)


def printable(text: str) -> str:
    """A text that any page, picture and terminal can show on one line: control characters and what is not UTF-8
    are spelled out; of a very long one, the beginning and a checksum by which it still differs from others.
    """
    if len(text) > MAX_TEXT:
        checksum = zlib.crc32(text.encode("utf-8", "backslashreplace"))
        text = f"{text[:SHOWN_OF_LONG]}... ({len(text)} characters, {checksum:08x})"
    return one_line(text)
