"""How texts of strangers are shown."""

from __future__ import annotations

import zlib

from rlkit.util.errors import one_line

MAX_TEXT, SHOWN_OF_LONG = 1000, 60  # characters


def printable(text: str) -> str:
    """A text that any page, picture and terminal can show on one line: control characters and what is not UTF-8
    are spelled out; of a very long one, the beginning and a checksum by which it still differs from others.
    """
    if len(text) > MAX_TEXT:
        checksum = zlib.crc32(text.encode("utf-8", "backslashreplace"))
        text = f"{text[:SHOWN_OF_LONG]}... ({len(text)} characters, {checksum:08x})"
    return one_line(text)
