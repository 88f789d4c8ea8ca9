"""Pictures of one evaluation as RGB arrays, for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.runs.evaluation import Evaluation, make_evaluation
from rlkit.viz import panels, style
from rlkit.viz.report import trajectories
from rlkit.viz.task_parameter import Task

Picture = npt.NDArray[np.uint8]


def adaptation_picture(evaluation: Evaluation, num_prior: int | None = None) -> Picture:
    """Return by trajectory number with its spread over the unseen tasks.

    Args:
        evaluation: see `make_evaluation` for one from arrays.
        num_prior: trajectories with z from the prior; None if not known.

    Returns:
        (height, width, 3) uint8.
    """
    with style.styled():
        figure = style.new_figure(4.8, 3.2)
        panels.draw_adaptation(figure.subplots(), evaluation, num_prior)
    return style.to_rgb(figure)


def trajectories_picture(
    evaluation: Evaluation, tasks: Sequence[Task], radius: float | None = None
) -> Picture | None:
    """A point robot's trajectories for a few unseen tasks, (height, width, 3) uint8; None for other families."""
    with style.styled():
        figure = trajectories(evaluation, tasks, radius)
    return None if figure is None else style.to_rgb(figure)


def evaluation_pictures(
    arrays: dict[str, npt.NDArray[Any]],
    tasks: Sequence[Task],
    num_prior: int | None = None,
    radius: float | None = None,
) -> dict[str, Picture]:
    """All pictures of an evaluation given as the arrays of evaluation.npz, by name.

    Raises:
        KeyError, ValueError: the arrays are no evaluation.
    """
    evaluation = make_evaluation(arrays)
    pictures = {"adaptation": adaptation_picture(evaluation, num_prior)}
    plane = trajectories_picture(evaluation, tasks, radius)
    return pictures | ({} if plane is None else {"trajectories": plane})
