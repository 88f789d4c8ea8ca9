"""Offscreen pictures of MuJoCo states, on machines without a display: what is seen, and how it is drawn."""

from __future__ import annotations

import atexit
import importlib
import os
import platform
import sys
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import mujoco
import numpy as np

from envs.types import FloatArray, Frame

BACKENDS = ("egl", "osmesa", "glfw", "cgl")
ANY_BACKEND = ("", "glx", "enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0")
"""Values of MUJOCO_GL that MuJoCo knows and that name no offscreen backend."""
WIDTH, HEIGHT = 480, 360  # pixels
MARKER_COLOUR = (0.1, 0.7, 0.2, 0.9)  # rgba
ARROW_HEIGHT, ARROW_LENGTH, ARROW_WIDTH = 0.1, 2.0, 0.07  # above the floor; along it; across, m
DISC_THICKNESS = 0.01  # m
MAX_GEOMS = 1000
INSTALL_HINT = "on Debian or Ubuntu: apt-get install libegl1 libgl1 (EGL), or libosmesa6 (OSMesa, software)"


class RenderingUnavailableError(RuntimeError):
    """No offscreen OpenGL on this machine; the message says what to install."""


class Arrow(NamedTuple):
    """Marks a direction: from `start` to `end`, each (3,), m."""

    start: FloatArray
    end: FloatArray


class Disc(NamedTuple):
    """Marks a place on the floor: `centre` (3,) and `radius`, m."""

    centre: FloatArray
    radius: float


class View(NamedTuple):
    """Where the camera stands: `distance` (m) from `target` (x, y, z), `azimuth` and `elevation` in degrees."""

    target: tuple[float, ...]
    distance: float
    azimuth: float = 90.0
    elevation: float = -15.0


def floor_arrow(xy: FloatArray, angle: float, gap: float) -> Arrow:
    """An arrow on the floor towards `angle` (rad), that starts `gap` (m) from `xy` (2,)."""
    direction = np.array([np.cos(angle), np.sin(angle), 0.0])
    start = np.array([*xy, ARROW_HEIGHT]) + gap * direction
    return Arrow(start, start + ARROW_LENGTH * direction)


class OffscreenScene:
    """Draws states of one model into arrays."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Open an OpenGL context.

        Raises:
            RenderingUnavailableError: the machine has none that works.
        """
        self._model = model
        self._data = mujoco.MjData(model)
        self._context = open_context(WIDTH, HEIGHT)
        self._context.make_current()
        self._scene = mujoco.MjvScene(model, MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False  # halves the time of a software renderer
        self._pixels = mujoco.MjrContext(model, int(mujoco.mjtFontScale.mjFONTSCALE_150))
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self._pixels)
        # OpenGL must be let go of before the interpreter takes it down, and nobody must remember to close.
        self._close_at_exit = partial(_close, weakref.ref(self))
        atexit.register(self._close_at_exit)

    def frame(self, qpos: FloatArray, view: View, markers: Sequence[Arrow | Disc]) -> Frame:
        """The robot at `qpos` (nq,) with `markers`, (HEIGHT, WIDTH, 3)."""
        self._data.qpos[:] = qpos
        mujoco.mj_forward(self._model, self._data)
        camera = mujoco.MjvCamera()
        camera.lookat[:] = view.target
        camera.distance, camera.azimuth, camera.elevation = view.distance, view.azimuth, view.elevation
        everything = int(mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(self._model, self._data, mujoco.MjvOption(), None, camera, everything, self._scene)
        for marker in markers:
            self._add(marker)
        self._context.make_current()  # another scene of the process may have been drawn in between
        area = mujoco.MjrRect(0, 0, WIDTH, HEIGHT)
        mujoco.mjr_render(area, self._scene, self._pixels)
        image = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(image, None, area, self._pixels)
        return np.flipud(image).copy()  # OpenGL's rows start at the bottom

    def _add(self, marker: Arrow | Disc) -> None:
        geom = self._scene.geoms[self._scene.ngeom]
        self._scene.ngeom += 1
        colour = np.array(MARKER_COLOUR, dtype=np.float32)
        if isinstance(marker, Arrow):
            kind = int(mujoco.mjtGeom.mjGEOM_ARROW)
            mujoco.mjv_initGeom(geom, kind, np.zeros(3), np.zeros(3), np.eye(3).ravel(), colour)
            mujoco.mjv_connector(geom, kind, ARROW_WIDTH, marker.start, marker.end)
        else:
            kind = int(mujoco.mjtGeom.mjGEOM_CYLINDER)
            size = np.array([marker.radius, DISC_THICKNESS, 0.0])
            mujoco.mjv_initGeom(geom, kind, size, marker.centre, np.eye(3).ravel(), colour)

    def close(self) -> None:
        atexit.unregister(self._close_at_exit)
        self._context.make_current()
        self._pixels.free()
        self._context.free()


def _close(reference: weakref.ref[OffscreenScene]) -> None:
    if scene := reference():
        scene.close()


def open_context(width: int, height: int) -> Any:
    """An offscreen OpenGL context: the one that MUJOCO_GL names, else the first that works.

    Raises:
        RenderingUnavailableError: none works.
    """
    faults = []
    for backend in _backends():
        try:
            return importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
        except Exception as error:  # a missing library shows as one of many types
            faults.append(f"{backend}: {' '.join(str(error).split())}")
            _forget_opengl()
    raise RenderingUnavailableError(f"cannot render, no offscreen OpenGL ({'; '.join(faults)}); {INSTALL_HINT}")


def _backends() -> list[str]:
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    if asked in BACKENDS:
        return [asked]
    if asked not in ANY_BACKEND:
        raise RenderingUnavailableError(
            f"cannot render: MUJOCO_GL must be {', '.join(BACKENDS)} or not set, got {asked!r}"
        )
    return ["egl", "osmesa"] if platform.system() == "Linux" else ["cgl", "glfw"]


def _forget_opengl() -> None:
    """Let the next backend import PyOpenGL anew, which binds itself to one platform at its import."""
    if platform.system() == "Linux" and "MUJOCO_GL" not in os.environ:
        os.environ.pop("PYOPENGL_PLATFORM", None)
        packages = ("OpenGL.", "mujoco.egl.", "mujoco.osmesa.")
        for name in [name for name in sys.modules if f"{name}.".startswith(packages)]:
            del sys.modules[name]
