"""What a family asks to be drawn: where the camera stands, and what marks the task."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.types import FloatArray

ARROW_HEIGHT = 0.1  # above the floor, m
ARROW_LENGTH = 2.0  # m


class Arrow(NamedTuple):
    """Marks a direction: from `start` to `end`, each (3,), m."""

    start: FloatArray
    end: FloatArray


class Disc(NamedTuple):
    """Marks a place on the floor: `centre` (3,) and `radius`, m."""

    centre: FloatArray
    radius: float


class View(NamedTuple):
    """Where the camera stands: `distance` (m) from `target` (3,), `azimuth` and `elevation` in degrees."""

    target: FloatArray
    distance: float
    azimuth: float = 90.0
    elevation: float = -15.0


def side_view(x: float, height: float, distance: float) -> View:
    """A camera beside a planar robot at `x`, looking at `height` from `distance`, m."""
    return View(np.array([x, 0.0, height]), distance)


def floor_arrow(xy: FloatArray, angle: float, gap: float) -> Arrow:
    """An arrow on the floor towards `angle` (rad), that starts `gap` (m) from `xy` (2,)."""
    direction = np.array([np.cos(angle), np.sin(angle), 0.0])
    start = np.array([*xy, ARROW_HEIGHT]) + gap * direction
    return Arrow(start, start + ARROW_LENGTH * direction)
