"""Films of an evaluation: frames of the environment under a head that says what the agent believes.

`scripts/sim_policy.py` makes them; a run has it make some of its iterations, which tensorboard shows as GIFs.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from envs import MetaEnv
from envs.types import Frame
from envs.video import film
from rlkit.config.settings import Config
from rlkit.launchers.display import ConsoleDisplay
from rlkit.launchers.simulation import TrainedRun
from rlkit.runs.folder import FILM_FOLDER
from rlkit.runs.logger import RunLogger
from rlkit.torch.distributions import Belief
from rlkit.util.errors import UserError
from rlkit.util.files import replacing
from rlkit.util.records import IndexArray

FONT_SIZE, LINE_HEIGHT, MARGIN = 13, 18, 8  # pixels
HEAD_COLOUR, TEXT_COLOUR = (40, 40, 40), "white"
MAX_FRAMES = 300  # of an animated GIF
MAX_GIF_BYTES, GIF_WIDTH, GIF_COLOURS = 950_000, 200, 32  # pixels of one trajectory
MAX_SHOWN_DIMENSIONS = 6  # of z; of more, averages are shown


Append = Callable[[int, Frame, Sequence[str]], None]
"""Takes a frame of a trajectory (from 1), and what its head should say."""


class FilmedLane:
    """A one-lane environment whose every state is filmed; to the sampler it is the environment itself."""

    def __init__(self, env: MetaEnv, append: Append, task: int, sparse: bool) -> None:
        """Film `env` by `append`; `sparse` counts the sparse reward as return."""
        self._env = env
        self._append = append
        self._task = task
        self._sparse = sparse
        self._head: list[str] = []
        self._trajectory, self._return = 0, 0.0
        self.num_envs, self.max_path_length = env.num_envs, env.max_path_length
        self.observation_dim, self.action_dim = env.observation_dim, env.action_dim
        self.has_sparse_reward = env.has_sparse_reward

    def watch(self, run: int, number: int, belief: Belief) -> None:
        """A trajectory begins: note its number and what is believed."""
        self._trajectory, self._return = number + 1, 0.0
        self._head = belief_lines(belief.mean[0].cpu().numpy(), belief.var[0].sqrt().cpu().numpy())

    def set_tasks(self, indices: IndexArray, lanes: IndexArray) -> None:
        self._env.set_tasks(indices, lanes)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[Any], Any]:
        result = self._env.reset(seed=seed, options=options)
        if self._env.live.any():
            self._shoot()
        return result

    def step(self, actions: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        result = self._env.step(actions)
        reward = result[4]["sparse_reward"] if self._sparse else result[1]
        self._return += float(reward[0])
        self._shoot()
        return result

    def _shoot(self) -> None:
        frames = self._env.render()
        assert frames is not None, "the environment has a render mode"
        title = f"task {self._task}, trajectory {self._trajectory}, return {self._return:.2f}"
        self._append(self._trajectory, frames[0], [title, *self._head])


def belief_lines(mean: NDArray[Any], spread: NDArray[Any]) -> list[str]:
    """Mean and spread (standard deviation) of the belief over z, (latent,) each, in two lines."""
    if len(mean) > MAX_SHOWN_DIMENSIONS:
        return [f"z mean, size: {np.abs(mean).mean():.2f}", f"z spread, average: {spread.mean():.2f}"]
    return [
        f"z {name}: " + "  ".join(f"{value:.2f}" for value in values)
        for name, values in (("mean", mean), ("spread", spread))
    ]


def with_head(frame: Frame, lines: Sequence[str]) -> Frame:
    """`frame` below a bar with `lines`, both sides even in pixels, as video encoders want them."""
    height = LINE_HEIGHT * len(lines) + MARGIN
    image = Image.new("RGB", (frame.shape[1], height + frame.shape[0]), HEAD_COLOUR)
    image.paste(Image.fromarray(frame), (0, height))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT_SIZE)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN // 2 + number * LINE_HEIGHT), line, fill=TEXT_COLOUR, font=font)
    return np.asarray(image).copy()


def film_tasks(
    run: TrainedRun, tasks: IndexArray, seed: int, *, deterministic: bool, exp_dir: Path
) -> list[dict[str, Any]]:
    """Film an adaptation to each of `tasks`; returns task, file (from `exp_dir`) and returns of each film.

    Raises:
        UserError: the environment cannot be drawn, or there is no ffmpeg.
    """
    (exp_dir / FILM_FOLDER).mkdir(exist_ok=True)

    def film_task(task: int) -> dict[str, Any]:
        file = f"{FILM_FOLDER}/task_{task}.mp4"
        with drawn_env(run, "--video") as env, film(exp_dir / file, env.metadata["render_fps"]) as append:
            lane = FilmedLane(env, lambda _, frame, lines: append(with_head(frame, lines)), task, run.sparse)
            done = run.adapt(lane, np.array([task]), seed, deterministic=deterministic, watch=lane.watch)
        returns = done.returns[0]
        return {"task": task, "file": file, "returns": returns[np.isfinite(returns)].tolist()}

    return [film_task(task) for task in tasks.tolist()]


def film_side_by_side(run: TrainedRun, task: int, seed: int, *, deterministic: bool, path: Path) -> None:
    """Film an adaptation to `task` as an animated GIF of at most MAX_GIF_BYTES, its trajectories side by side.

    Raises:
        UserError: the environment cannot be drawn.
    """
    shots: dict[int, list[Frame]] = {}

    def keep(trajectory: int, frame: Frame, lines: Sequence[str]) -> None:
        size = (GIF_WIDTH, GIF_WIDTH * frame.shape[0] // frame.shape[1])
        small = np.asarray(Image.fromarray(frame).resize(size))
        shots.setdefault(trajectory, []).append(with_head(small, [lines[0].partition(", ")[2]]))

    with drawn_env(run, "--gif") as env:
        lane = FilmedLane(env, keep, task, run.sparse)
        run.adapt(lane, np.array([task]), seed, deterministic=deterministic, watch=lane.watch)
        frames_per_second = env.metadata["render_fps"]
    length = max(map(len, shots.values()))
    frames = [  # one that is over shows its end
        with_few_colours(np.concatenate([taken[min(step, len(taken) - 1)] for _, taken in sorted(shots.items())], 1))
        for step in range(length)
    ]
    stride = -(-length // MAX_FRAMES)
    while len(gif := encode_gif(frames[::stride], frames_per_second / stride)) > MAX_GIF_BYTES:
        stride += 1
    with replacing(path) as file:
        file.write(gif)


@contextmanager
def drawn_env(run: TrainedRun, option: str) -> Iterator[MetaEnv]:
    """An environment with one lane that can be drawn.

    Raises:
        UserError: naming `option`, where it cannot, or something else of the block is wrong.
    """
    env = run.make_env(num_envs=1, render_mode="rgb_array")
    try:
        yield env
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{option}: {error}") from None
    finally:
        env.close()


def film_iteration(config: Config, folder: Path, number: int, logger: RunLogger, display: ConsoleDisplay) -> None:
    """Film an adaptation to the last test task with the weights on disk, for tensorboard and `videos/`.

    In a process of its own: drawing needs OpenGL, whose troubles are then not the run's.
    """
    task = config.env_params.n_tasks - 1
    script = Path(__file__).parents[2] / "scripts" / "sim_policy.py"
    films = folder / FILM_FOLDER
    films.mkdir(exist_ok=True)
    result_file = films / f"iteration_{number}.json"
    command = [sys.executable, str(script), str(folder), "--task", str(task), "--video", "--output", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        display.say(f"no film of iteration {number}: {done.stderr.strip()}")
        return
    moved = (films / f"task_{task}.mp4").replace(films / f"iteration_{number}.mp4")
    logger.tensorboard.film(f"evaluation/task_{task}", gif_of(moved), number)


def gif_of(film: Path) -> bytes:
    """Encode an mp4 as an animated GIF, at most MAX_FRAMES of its frames, evenly spaced.

    Raises:
        OSError: ffmpeg cannot read it.
    """
    import imageio_ffmpeg  # here, as it is not always installed

    reader = imageio_ffmpeg.read_frames(str(film))
    meta = next(reader)
    width, height = meta["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    stride = -(-len(frames) // MAX_FRAMES)
    return encode_gif([with_few_colours(frame) for frame in frames[::stride]], meta["fps"] / stride)


def with_few_colours(frame: Frame) -> Image.Image:
    """`frame` with a palette, as a GIF has it."""
    return Image.fromarray(frame).quantize(GIF_COLOURS, dither=Image.Dither.NONE)


def encode_gif(frames: Sequence[Image.Image], frames_per_second: float) -> bytes:
    """An animation that repeats for ever."""
    first, *others = frames
    buffer = io.BytesIO()
    duration = 1000 / frames_per_second  # milliseconds
    first.save(buffer, format="GIF", save_all=True, append_images=others, loop=0, duration=duration)
    return buffer.getvalue()
