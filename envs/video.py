"""Films: frames into ffmpeg, one by one, and a random policy as a subject."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.single import SingleEnv
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


def film_random_policy(env: SingleEnv, path: Path, num_steps: int, seed: int) -> None:
    """Roll random actions for `num_steps`, episode after episode, and write the frames to `path`.

    Raises:
        ValueError: as `film`.
        RenderingUnavailableError: no offscreen OpenGL.
    """
    with film(path, env.metadata["render_fps"]) as append:
        env.reset(seed=seed)
        env.action_space.seed(seed)
        append(_frame(env))
        for _ in range(num_steps):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            append(_frame(env))
            if terminated or truncated:
                env.reset()


def _frame(env: SingleEnv) -> Frame:
    frame = env.render()
    assert frame is not None, "the environment has a render mode"
    return frame
