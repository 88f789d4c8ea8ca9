"""Directions on the plane, which the ant and humanoid families share."""

from __future__ import annotations

import numpy as np

from envs.types import FloatArray

FULL_TURN = 2 * np.pi  # rad


def unit_vectors(angle: FloatArray) -> FloatArray:
    """(lanes, 2) unit vectors at `angle` (lanes,), rad."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def along(angle: FloatArray, vectors: FloatArray) -> FloatArray:
    """Component (lanes,) of `vectors` (lanes, 2) in the direction at `angle` (lanes,), rad."""
    return np.cos(angle) * vectors[:, 0] + np.sin(angle) * vectors[:, 1]
