"""The study file: a base config, a space over its settings, and how that is searched. Typed like a config."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from rlkit.config.files import debug_version, load_config, load_json
from rlkit.config.rules import describe_fault, known_keys, nearest_key
from rlkit.config.settings import Config, Section
from rlkit.util.errors import UserError
from rlkit.util.files import user_path

FREE_KEYS = "env_params."  # a task family's own parameters: it checks those itself
OF_THE_STUDY = ("seed", "env_name", "util_params.base_log_dir", "util_params.docker", "util_params.debug")
"""Settings that say where a run goes, which the study does."""
MAX_RUNS = 100_000

Settings = dict[str, Any]
"""Of a point, by dotted key."""


class Axis(Section):
    """What one setting may be: exactly one of these."""

    grid: list[Any] | None = Field(None, min_length=1)  # each of these values
    choice: list[Any] | None = Field(None, min_length=1)  # one of these values
    uniform: tuple[float, float] | None = None  # a number between these two
    loguniform: tuple[float, float] | None = None  # the same, drawn on a logarithmic scale
    integer: tuple[int, int] | None = None  # a whole number, both ends included
    loginteger: tuple[int, int] | None = None  # the same, drawn on a logarithmic scale

    @model_validator(mode="after")
    def _is_one(self) -> Axis:
        stated = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(f"should have exactly one of {', '.join(type(self).model_fields)}")
        if self.values is None:
            low, high = self.bounds
            if low >= high:
                raise ValueError(f"{stated[0]}: the first number should be below the second")
            if self.is_log and low <= 0:
                raise ValueError(f"{stated[0]}: a logarithmic scale begins above 0")
        elif len({json.dumps(value, sort_keys=True) for value in self.values}) < len(self.values):
            raise ValueError(f"{stated[0]}: names a value twice")
        return self

    @property
    def values(self) -> list[Any] | None:
        """The values to choose from; None for a range."""
        return self.grid or self.choice

    @property
    def bounds(self) -> tuple[float, float]:
        found = self.uniform or self.loguniform or self.integer or self.loginteger
        assert found is not None
        return found

    @property
    def is_log(self) -> bool:
        """Whether it is drawn, and shown, on a logarithmic scale."""
        return bool(self.loguniform or self.loginteger)

    @property
    def is_whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return bool(self.integer or self.loginteger)

    def draw(self, rng: np.random.Generator) -> Any:
        if self.values is not None:
            return self.values[int(rng.integers(len(self.values)))]
        low, high = self.bounds
        if self.is_whole:  # from half a unit around each whole number, so that the ends are as likely as the others
            low, high = low - 0.5, high + 0.5
        value = math.exp(rng.uniform(math.log(low), math.log(high))) if self.is_log else float(rng.uniform(low, high))
        return int(np.clip(round(value), *self.bounds)) if self.is_whole else value


class Asha(Section):
    """Asynchronous successive halving: at iteration grace_period, and each time a run is reduction_factor times as
    long, it stops unless it is among the best 1 / reduction_factor of those that came as far.
    """

    grace_period: int = Field(1, ge=1)
    reduction_factor: float = Field(4, gt=1)
    brackets: int = Field(1, ge=1)


class Stop(Section):
    """What ends a run before its last iteration."""

    asha: Asha


class Study(Section):
    """A whole study."""

    base: str = Field(min_length=1)  # the config, as seen from the study's file or from where it is started
    space: dict[str, Axis] = Field(min_length=1)  # by dotted key
    seeds: int = Field(1, ge=1, le=MAX_RUNS)  # runs of each point: seeds 0, 1, ...
    samples: int | None = Field(None, ge=1, le=MAX_RUNS)  # points, where anything is drawn; null: the grid's
    search: Literal["random", "optuna"] = "random"  # who draws
    search_seed: int = Field(0, ge=0, lt=2**32)  # of the drawing
    stop: Stop | None = None
    metric: str = Field("AverageReturn_all_test_tasks", min_length=1)  # column of progress.csv
    mode: Literal["max", "min"] = "max"  # whether much of it is good

    @model_validator(mode="after")
    def _fits_together(self) -> Study:
        for key in self.space:
            if key in OF_THE_STUDY:
                raise ValueError(f"space: '{key}' is the study's own to set")
            if key not in known_keys() and (not key.startswith(FREE_KEYS) or key == FREE_KEYS):
                raise ValueError(f"space: unknown key '{key}'; {nearest_key(key, known_keys())}")
        if self.is_drawn and self.samples is None:
            raise ValueError("samples: is missing: how many points are to be drawn?")
        if not self.is_drawn and self.samples is not None:
            raise ValueError("samples: there is nothing to draw, a grid has the points that it has")
        if self.samples is not None and self.search == "random" and self.samples < self.num_combinations:
            raise ValueError(f"samples: should be at least the {self.num_combinations} combinations of the grids")
        if self.num_runs > MAX_RUNS:
            raise ValueError(f"space: {self.num_points} points of {self.seeds} seeds are more than {MAX_RUNS} runs")
        return self

    @property
    def is_drawn(self) -> bool:
        """Whether points are drawn, or are those of a grid."""
        return self.search == "optuna" or any(axis.grid is None for axis in self.space.values())

    @property
    def num_combinations(self) -> int:
        return math.prod(len(axis.grid) for axis in self.space.values() if axis.grid)

    @property
    def num_points(self) -> int:
        return self.samples or self.num_combinations

    @property
    def num_runs(self) -> int:
        return self.num_points * self.seeds

    def settings(self) -> Iterator[Settings]:
        """Of each point: every combination of the grids in turn; what is drawn is drawn anew for each."""
        rng = np.random.default_rng(self.search_seed)
        grids = {key: axis.grid for key, axis in self.space.items() if axis.grid}
        combinations = itertools.cycle(itertools.product(*grids.values()))
        for values in itertools.islice(combinations, self.num_points):
            fixed = dict(zip(grids, values, strict=True))
            yield {key: fixed[key] if key in fixed else axis.draw(rng) for key, axis in self.space.items()}


def load_study(path: Path) -> tuple[Study, Config]:
    """Read a study's JSON and its base config.

    Raises:
        UserError: unreadable file, unknown key, wrong type or impossible value, of the study or of its config.
    """
    tree = load_json(path, "study")
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a study is a JSON object, not a {type(tree).__name__}")
    try:
        study = Study.model_validate(tree)
    except ValidationError as error:
        known = [*Study.model_fields, *Axis.model_fields, *Asha.model_fields]
        raise UserError(f"{path}: {describe_fault(error, known)}") from None
    beside = path.parent / user_path(study.base)
    config = load_config(beside if beside.exists() else study.base)
    if config.util_params.debug:
        config = debug_version(config)
    util = config.util_params.model_copy(update={"debug": False})
    return study, config.model_copy(update={"seed": None, "util_params": util})
