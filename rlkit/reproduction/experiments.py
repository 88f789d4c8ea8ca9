"""The experiments: which configs, how far, with how many seeds, and what is expected to come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rlkit.config.files import load_config
from rlkit.config.settings import Config
from rlkit.launchers.runs import ROOT
from rlkit.util.errors import UserError
from rlkit.viz.references import REFERENCES

CONFIGS = ROOT / "configs"

BUFFER_CONTEXT = "AverageTrainReturn_all_train_tasks"  # with contexts as in training, from the encoder's buffer


@dataclass(frozen=True)
class Arm:
    """One of the configs that an experiment compares.

    Attributes:
        label: its name within the experiment, "" of an only arm.
        config: file below configs/, without its suffix.
        runs_of: an experiment with one arm, the same config and length, whose runs these are.
    """

    label: str
    config: str
    runs_of: str = ""

    @property
    def path(self) -> Path:
        return CONFIGS / f"{self.config}.json"

    def load(self, settings: Sequence[str] = (), seed: int | None = None) -> Config:
        """Its config, with KEY=VALUE texts and a seed."""
        return load_config(self.path, settings, {} if seed is None else {"seed": seed})


def arms(*configs: str) -> tuple[Arm, ...]:
    """Arms that are called as what comes after the point in their config's name."""
    return tuple(Arm(config.rpartition(".")[2], config) for config in configs)


@dataclass(frozen=True)
class Experiment:
    """Runs that answer one question together.

    Attributes:
        name: of its folder in results/, its figure and its notes.
        title: for readers.
        arms: by default the config called `name`. The first one stands in the overview, all where there is a target.
        device: what its length is meant for.
        seeds: 0, 1, ... up to so many.
        env_steps: length of the x axis; None: what the config's num_iterations come to.
        settings: KEY=VALUE texts that change every arm's config.
        target: the lowest return on unseen tasks with which it counts as reproduced.
        reached: what others reach in a protocol of its own; "": what they reach on the domain.
        order: the arms as the paper has them, best first.
        by_trajectory: whether adaptation over the trajectories of an evaluation is shown too.
        columns: of progress.csv, reported beside the return.
        told_apart_by: the full config key that names the figure's lines; None: all that differ.
        keeps_weights: whether the agent of each arm's seed 0 is kept in results/weights.
        filmed_task: a test task; the kept agent's adaptation to it is shown, where results/figures/ has NAME.gif.
        leads: whether its first arm has a panel of the page's first figure, and a row in the first table.
        compared_at: environment steps after which the return is reported too: where others' runs stand.
    """

    name: str
    title: str
    arms: tuple[Arm, ...] = ()
    device: Literal["cpu", "gpu"] = "cpu"
    seeds: int = 3
    env_steps: int | None = None
    settings: tuple[str, ...] = ()
    target: float | None = None
    reached: str = ""
    order: tuple[str, ...] = ()
    by_trajectory: bool = False
    columns: tuple[str, ...] = ()
    told_apart_by: str | None = None
    keeps_weights: bool = True
    filmed_task: int | None = None
    leads: bool = False
    compared_at: int | None = None

    def __post_init__(self) -> None:
        if not self.arms:
            object.__setattr__(self, "arms", (Arm("", self.name),))

    @property
    def anchor(self) -> str:
        """What others reach, and with what."""
        known = REFERENCES.get(self.arms[0].load().env_name)
        return self.reached or (known.reached if known else "")


SMALL = (
    Experiment(
        "cheetah-vel-small",
        "Half-Cheetah-Vel, small networks",
        target=-45.0,
        leads=True,
        compared_at=500_000,
        filmed_task=100,
    ),
    Experiment(
        "cheetah-dir-small",
        "Half-Cheetah-Fwd-Back, small networks",
        seeds=5,
        target=1000.0,
        leads=True,
        compared_at=500_000,
        filmed_task=0,
    ),
    Experiment(
        "sparse-point-robot-small",
        "Sparse 2D navigation, small networks: probabilistic and deterministic z (figure 7)",
        arms("ablations/deterministic-small.probabilistic", "ablations/deterministic-small.deterministic"),
        reached="return rises with the trajectories, with probabilistic z alone (paper)",
        order=("probabilistic", "deterministic"),
        by_trajectory=True,
        target=12.0,
        leads=True,
    ),
)
"""Every domain on two CPU cores; a further one is a config and an entry here."""

ON_CPU = (
    Experiment(
        "quickstart",
        "Point robot, 300 training goals, small networks",
        seeds=5,
        target=-13.1,
        reached="-13.1, reference code in a protocol of this size",
        keeps_weights=False,
    ),
    Experiment(
        "point-robot",
        "Point robot",
        (Arm("", "point-robot"), *arms("ablations/point-robot-context.trajectories")),
        seeds=2,
        env_steps=56_000,
        settings=("util_params.precision=bf16",),
        target=-9.0,
        told_apart_by="algo_params.context_sampling",
    ),
    Experiment(
        "cheetah-dir",
        "Half-Cheetah-Fwd-Back",
        (Arm("", "cheetah-dir"), *arms("ablations/cheetah-dir-context.trajectories")),
        seeds=2,
        env_steps=500_000,
        target=900.0,
        columns=(BUFFER_CONTEXT,),
        told_apart_by="algo_params.context_sampling",
    ),
    Experiment(
        "context",
        "Where context comes from, on the quickstart (figure 6)",
        (
            Arm("recent", "ablations/context-small.recent", runs_of="quickstart"),
            *arms("ablations/context-small.off-policy-rl-batch", "ablations/context-small.off-policy"),
        ),
        order=("recent", "off-policy-rl-batch", "off-policy"),
        keeps_weights=False,
    ),
    Experiment(
        "recurrent",
        "How context is encoded, on the quickstart (figure 5)",
        (
            Arm("mlp", "ablations/recurrent-small.mlp", runs_of="quickstart"),
            *arms("ablations/recurrent-small.rnn-tran", "ablations/recurrent-small.rnn-traj"),
        ),
        order=("mlp", "rnn-tran", "rnn-traj"),
        keeps_weights=False,
    ),
)

gpu = partial(Experiment, device="gpu")
ON_GPU = (
    gpu("cheetah-vel", "Half-Cheetah-Vel", env_steps=750_000, target=-45.0),
    gpu(
        "sparse-point-robot",
        "Sparse 2D navigation",
        env_steps=1_500_000,
        target=12.0,
        columns=(BUFFER_CONTEXT,),
        by_trajectory=True,
    ),
    gpu("ant-dir", "Ant-Fwd-Back", env_steps=2_000_000, target=1050.0),
    gpu(
        "cheetah-dir-long",
        "Half-Cheetah-Fwd-Back, longer",
        (Arm("", "cheetah-dir"),),
        env_steps=1_500_000,
        target=1250.0,
    ),
    gpu("walker-rand-params", "Walker-2D-Params", env_steps=1_100_000, target=720.0),
    gpu(
        "ant-goal",
        "Ant-Goal-2D",
        (Arm("", "ant-goal"), *arms("ablations/ant-goal-context.trajectories")),
        env_steps=3_000_000,
        target=-440.0,
        columns=(BUFFER_CONTEXT,),
        told_apart_by="algo_params.context_sampling",
    ),
    gpu("humanoid-dir", "Humanoid-Direc-2D", env_steps=1_500_000, target=985.0, columns=("Test velocity",)),
)

EXPERIMENTS = (*SMALL, *ON_CPU, *ON_GPU)


def find_experiment(name: str) -> Experiment:
    """The experiment called `name`.

    Raises:
        UserError: there is none.
    """
    for experiment in EXPERIMENTS:
        if experiment.name == name:
            return experiment
    names = ", ".join(experiment.name for experiment in EXPERIMENTS)
    raise UserError(f"unknown experiment '{name}'; choose one of {names}")


def owner(experiment: Experiment, arm: Arm) -> tuple[Experiment, Arm]:
    """Whose runs an arm's are: its own, or those of the experiment that it shares them with."""
    if not arm.runs_of:
        return experiment, arm
    other = find_experiment(arm.runs_of)
    return other, other.arms[0]
