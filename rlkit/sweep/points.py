"""From a study to its points, and from a point to a config and its runs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlkit.config.files import changed_config
from rlkit.config.settings import Config
from rlkit.launchers.runs import Run
from rlkit.sweep.study import Axis, Study
from rlkit.util.errors import UserError

Settings = dict[str, Any]


class Point(NamedTuple):
    """One place of the space."""

    number: int
    settings: Settings  # by dotted key
    refusal: str = ""  # the rule that its config breaks
    num_iterations: int = 0


def make_point(number: int, settings: Settings, base: Config) -> Point:
    """A point, and whether its config can work."""
    try:
        config = changed_config(base, settings)
    except UserError as error:
        return Point(number, settings, str(error))
    return Point(number, settings, "", config.algo_params.num_iterations)


def known_points(study: Study, base: Config) -> list[Point]:
    """The points of a study that are known before it starts: all of them, but for a search by Optuna.

    Raises:
        UserError: a grid has a point that a rule refuses, or every one that was drawn.
    """
    if study.search == "optuna":
        return []
    points = [make_point(number, settings, base) for number, settings in enumerate(_settings(study))]
    refused = [point for point in points if point.refusal]
    if refused and (not study.is_drawn or len(refused) == len(points)):
        raise UserError(f"space: {refused[0].refusal}")
    return points


def _settings(study: Study) -> Iterator[Settings]:
    """Every combination of the grids in turn; what is drawn is drawn anew for each point."""
    rng = np.random.default_rng(study.search_seed)
    grids = {key: axis.grid for key, axis in study.space.items() if axis.grid}
    combinations = itertools.cycle(
        [dict(zip(grids, values, strict=True)) for values in itertools.product(*grids.values())]
    )
    for combination in itertools.islice(combinations, study.num_points):
        yield {key: combination[key] if key in combination else draw(axis, rng) for key, axis in study.space.items()}


def draw(axis: Axis, rng: np.random.Generator) -> Any:
    if axis.values is not None:
        return axis.values[int(rng.integers(len(axis.values)))]
    low, high = axis.bounds
    if axis.is_whole:  # from half a unit around each whole number, so that the ends are as likely as the others
        low, high = low - 0.5, high + 0.5
    value = math.exp(rng.uniform(math.log(low), math.log(high))) if axis.is_log else float(rng.uniform(low, high))
    return int(np.clip(round(value), *axis.bounds)) if axis.is_whole else value


def run_of(point: Point, seed: int, folder: Path, config: Path) -> Run:
    """The run of a point with a seed.

    Args:
        point: of the study.
        seed: of the run.
        folder: the study's.
        config: the base config's file.
    """
    settings = tuple(f"{key}={json.dumps(value)}" for key, value in point.settings.items())
    name = f"{point.number:03}-s{seed}"
    return Run(config, seed, folder / name, point.num_iterations, settings, group=folder.name)


def shown_settings(settings: Mapping[str, Any]) -> str:
    """A point's settings as a short text, keys by their last part."""
    return ", ".join(f"{key.rsplit('.', 1)[-1]}={_short(value)}" for key, value in settings.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
