"""A film of a random policy, frame by frame into ffmpeg."""

from __future__ import annotations

from pathlib import Path

from envs.base import Frame
from envs.single import SingleEnv

INSTALL = "pip install imageio-ffmpeg"


def film_random_policy(env: SingleEnv, path: Path, num_steps: int, seed: int) -> None:
    """Roll random actions for `num_steps`, episode after episode, and write the frames to `path`.

    Raises:
        ValueError: no ffmpeg, or no .mp4 file that it can write.
        RenderingUnavailableError: no offscreen OpenGL.
    """
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        raise ValueError(f"writing a video needs the package imageio-ffmpeg: {INSTALL}") from None
    if path.suffix != ".mp4" or not path.parent.is_dir():
        raise ValueError(f"the video must be an .mp4 file in a folder that exists, got {path}")
    env.reset(seed=seed)
    env.action_space.seed(seed)
    frame = _frame(env)
    height, width = frame.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=env.metadata["render_fps"], macro_block_size=2, ffmpeg_log_level="error"
    )
    try:
        writer.send(None)
        writer.send(frame)
        for _ in range(num_steps):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            writer.send(_frame(env))
            if terminated or truncated:
                env.reset()
    except OSError as error:
        reason = str(error).partition("\n")[0]  # ffmpeg's command line follows
        raise ValueError(f"cannot write the video {path}: {reason}") from None
    finally:
        writer.close()


def _frame(env: SingleEnv) -> Frame:
    frame = env.render()
    assert frame is not None, "the environment has a render mode"
    return frame
