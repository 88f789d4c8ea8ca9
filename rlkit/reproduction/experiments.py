"""The experiments of results/experiments.json: which configs, how far, with how many seeds, what should come out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from rlkit.config.files import load_config, load_json
from rlkit.config.rules import describe_fault
from rlkit.config.settings import Config, Section
from rlkit.launchers.runs import ROOT
from rlkit.util.errors import UserError
from rlkit.viz.references import NO_REFERENCE, REFERENCES

CONFIGS = ROOT / "configs"


class Arm(Section):
    """One of the configs that an experiment compares; of a text alone, what follows a point is the label."""

    config: str  # file below configs/, without its suffix
    label: str = ""  # its name within the experiment, "" of an only arm
    runs_of: str = ""  # an experiment with one arm, the same config and length, whose runs these are

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        given = {"config": value} if isinstance(value, str) else value
        return (
            {"label": str(given.get("config", "")).partition(".")[2], **given} if isinstance(given, dict) else value
        )

    @property
    def path(self) -> Path:
        return CONFIGS / f"{self.config}.json"

    def load(self, settings: Sequence[str] = (), seed: int | None = None) -> Config:
        """Its config, with KEY=VALUE texts and a seed."""
        return load_config(self.path, settings, {} if seed is None else {"seed": seed})


class Experiment(Section):
    """Runs that answer one question together."""

    name: str  # of its folder in results/, its figure and its notes
    title: str  # for readers
    arms: tuple[Arm, ...]  # by default the config called `name`; the first one stands for the experiment
    device: Literal["cpu", "gpu"] = "cpu"  # what its length is meant for
    seeds: int = Field(3, ge=1)  # 0, 1, ... up to so many
    env_steps: int | None = None  # length of the x axis; null: what the config's num_iterations come to
    settings: tuple[str, ...] = ()  # KEY=VALUE texts that change every arm's config
    target: float | None = None  # the lowest return on unseen tasks with which it counts as reproduced
    reached: str = ""  # what others reach in a protocol of its own; "": what they reach on the domain
    order: tuple[str, ...] = ()  # the arms as the paper has them, best first
    by_trajectory: bool = False  # whether adaptation over the trajectories of an evaluation is shown too
    columns: tuple[str, ...] = ()  # of progress.csv, reported beside the return
    told_apart_by: str | None = None  # the full config key that names the figure's lines; null: all that differ
    keeps_weights: bool = True  # whether the agent of each arm's seed 0 is kept in results/weights
    filmed_task: int | None = None  # a test task; its adaptation is shown, where results/figures/ has NAME.gif
    leads: bool = False  # whether its first arm has a panel of the page's first figure, and a row in the first table
    compared_at: int | None = (
        None  # environment steps after which the return is reported too: where others' runs stand
    )

    @model_validator(mode="before")
    @classmethod
    def _with_arms(cls, value: Any) -> Any:
        return {"arms": [value.get("name")], **value} if isinstance(value, dict) else value

    @property
    def anchor(self) -> str:
        """What others reach, and with what."""
        return self.reached or REFERENCES.get(self.arms[0].load().env_name, NO_REFERENCE).reached


def load_experiments(path: Path) -> tuple[Experiment, ...]:
    """Read the table of experiments.

    Raises:
        UserError: it cannot be read, or holds an unknown key or a wrong value.
    """
    try:
        return TypeAdapter(tuple[Experiment, ...]).validate_python(load_json(path, "experiments"))
    except ValidationError as error:
        known = [*Experiment.model_fields, *Arm.model_fields]
        raise UserError(f"{path}: {describe_fault(error, known)}") from None
