"""Films: frames into ffmpeg, one by one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.types import Frame

INSTALL = "pip install imageio-ffmpeg"


@contextmanager
def film(path: Path, frames_per_second: float) -> Iterator[Callable[[Frame], None]]:
    """Write a film to `path`; the block gets a function that appends a frame, (height, width, 3), all of one size.

    Raises:
        ValueError: no ffmpeg, or no .mp4 file that it can write.
    """
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        raise ValueError(f"writing a video needs the package imageio-ffmpeg: {INSTALL}") from None
    if path.suffix != ".mp4" or not path.parent.is_dir():
        raise ValueError(f"the video must be an .mp4 file in a folder that exists, got {path}")
    writer: Generator[None, Frame | None, None] | None = None

    def append(frame: Frame) -> None:
        nonlocal writer
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = imageio_ffmpeg.write_frames(
                str(path), size, fps=frames_per_second, macro_block_size=2, ffmpeg_log_level="error"
            )
            writer.send(None)
        writer.send(frame)

    try:
        yield append
    except OSError as error:
        reason = str(error).partition("\n")[0]  # ffmpeg's command line follows
        raise ValueError(f"cannot write the video {path}: {reason}") from None
    finally:
        if writer is not None:
            writer.close()
