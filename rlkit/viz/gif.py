"""Films as animated GIFs, which tensorboard shows among its images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

MAX_FRAMES = 300


class Gif(NamedTuple):
    """An encoded animation."""

    data: bytes
    width: int
    height: int


def gif_of(film: Path) -> Gif:
    """Encode an mp4, at most MAX_FRAMES of its frames, evenly spaced.

    Raises:
        OSError: ffmpeg cannot read it.
    """
    import imageio_ffmpeg
    from PIL import Image

    reader = imageio_ffmpeg.read_frames(str(film))
    meta = next(reader)
    width, height = meta["size"]
    frames = [Image.frombytes("RGB", (width, height), frame) for frame in reader]
    stride = -(-len(frames) // MAX_FRAMES)
    kept = frames[::stride]
    buffer = io.BytesIO()
    kept[0].save(
        buffer, format="GIF", save_all=True, append_images=kept[1:], loop=0, duration=1000 * stride / meta["fps"]
    )
    return Gif(buffer.getvalue(), width, height)
