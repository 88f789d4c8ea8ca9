"""Frames: of every family where OpenGL works, and a clear word where it does not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import envs
from envs import rendering

ALL = sorted(envs.FAMILIES)


def frame_of(env_name, **params):
    env = envs.SingleEnv(env_name, render_mode="rgb_array", **params)
    env.reset(seed=0)
    frame = env.render()
    env.close()
    return frame


@pytest.mark.parametrize("env_name", ALL)
def test_a_frame_shows_something(env_name, opengl_works):
    if not opengl_works and "point-robot" not in env_name:
        with pytest.raises(rendering.RenderingUnavailableError, match="apt-get install"):
            frame_of(env_name)
        return
    frame = frame_of(env_name)
    assert frame.dtype == np.uint8
    assert frame.ndim == 3
    assert frame.shape[2] == 3
    assert frame.std() > 10


@pytest.mark.parametrize("env_name", ["point-robot", "sparse-point-robot"])
def test_the_picture_shows_the_task(env_name):
    assert not np.array_equal(frame_of(env_name, task=0), frame_of(env_name, task=1))


def test_one_frame_per_lane(build):
    env = build("point-robot", 3, render_mode="rgb_array")
    env.reset(seed=0)
    frames = env.render()
    assert len(frames) == 3
    assert not np.array_equal(frames[0], frames[1])


def test_without_a_render_mode_there_is_no_frame(build):
    env = build("point-robot")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None


def test_a_machine_without_opengl_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(rendering, "_backends", lambda: ["no_such_backend", "nor_this"])
    with pytest.raises(
        rendering.RenderingUnavailableError, match=r"no_such_backend: .*nor_this: .*libegl1.*libosmesa6"
    ):
        frame_of("cheetah-vel")


def test_mujoco_gl_decides_where_it_is_set(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert rendering._backends() == ["osmesa"]
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setattr(rendering.platform, "system", lambda: "Linux")
    assert rendering._backends() == ["egl", "osmesa"]


@pytest.mark.parametrize("env_name", ["ant-dir", "ant-goal", "cheetah-dir", "humanoid-dir"])
def test_the_task_is_marked_in_the_scene(env_name, build):
    env = build(env_name, 2)
    env.reset(seed=0)
    first, second = env._markers(0), env._markers(1)
    assert len(first) == len(second) == 1
    assert not all(np.allclose(a, b) for a, b in zip(first[0], second[0], strict=True))


UNCLOSED = """
import envs
from envs import rendering
scenes = [envs.make_env(name, 1, render_mode="rgb_array") for name in ("ant-dir", "cheetah-vel", "cheetah-vel")]
for scene in scenes:
    scene.reset(seed=0)
    try:
        scene.render()
    except rendering.RenderingUnavailableError:
        pass
"""


def test_environments_left_open_end_in_silence():
    outcome = subprocess.run([sys.executable, "-c", UNCLOSED], capture_output=True, text=True, check=True)
    assert outcome.stderr == ""


@pytest.mark.parametrize("backend", ["nonsense", "cgl", "osmesa", "egl"])
def test_mujoco_gl_matters_only_when_something_is_drawn(backend, tmp_path):
    """Whatever this machine has of it: a run goes through, and a film is made or refused in one line."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"MUJOCO_GL": backend, "PYTHONPATH": str(root)}
    train = [
        "launch_experiment.py",
        "configs/cheetah-vel.json",
        "--debug",
        "--cpu",
        "--set",
        "util_params.plots=false",
    ]
    result = subprocess.run(
        [sys.executable, *train, "--set", f"util_params.base_log_dir={tmp_path}"],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    film = ["-m", "envs", "cheetah-vel", "--render", str(tmp_path / "film.mp4"), "--steps", "2"]
    result = subprocess.run(
        [sys.executable, *film], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode or backend in ("nonsense", "cgl"):
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: cannot render")
        assert backend in line
