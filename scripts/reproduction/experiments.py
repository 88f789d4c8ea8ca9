"""The experiments: which configs, how far, with how many seeds, and what is expected to come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlkit.util.errors import UserError

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


@dataclass(frozen=True)
class Experiment:
    """Runs that answer one question together.

    Attributes:
        name: of its folder in results/, its figure and its notes.
        title: for readers.
        arms: the first one stands in the overview, or all where there is a target; none of another experiment's.
        device: what its length is meant for.
        seeds: 0, 1, ... up to so many.
        env_steps: length of the x axis; None: what the config's num_iterations come to.
        settings: KEY=VALUE texts that change every arm's config.
        target: the lowest return on unseen tasks with which it counts as reproduced.
        anchor: what others reach, and with what.
        order: the arms as the paper has them, best first.
        by_trajectory: whether adaptation over the trajectories of an evaluation is shown too.
        columns: of progress.csv, reported beside the return.
        told_apart_by: the full config key that names the figure's lines; None: all that differ.
        keeps_weights: whether the agent of each arm's seed 0 is kept in results/weights.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    device: Literal["cpu", "gpu"] = "cpu"
    seeds: int = 3
    env_steps: int | None = None
    settings: tuple[str, ...] = ()
    target: float | None = None
    anchor: str = ""
    order: tuple[str, ...] = ()
    by_trajectory: bool = False
    columns: tuple[str, ...] = ()
    told_apart_by: str | None = None
    keeps_weights: bool = True


ON_CPU = (
    Experiment(
        "quickstart",
        "Point robot, 300 training goals, small networks",
        (Arm("", "quickstart"),),
        seeds=5,
        target=-13.1,
        anchor="-13.1, reference code in a protocol of this size",
        keeps_weights=False,
    ),
    Experiment(
        "point-robot",
        "Point robot",
        (Arm("", "point-robot"), Arm("trajectories", "ablations/point-robot-context.trajectories")),
        seeds=2,
        env_steps=56_000,
        settings=("util_params.precision=bf16",),
        target=-9.0,
        anchor="-10 to -12, reduced protocols",
        told_apart_by="algo_params.context_sampling",
    ),
    Experiment(
        "cheetah-dir",
        "Half-Cheetah-Fwd-Back",
        (Arm("", "cheetah-dir"), Arm("trajectories", "ablations/cheetah-dir-context.trajectories")),
        seeds=2,
        env_steps=500_000,
        target=900.0,
        anchor="762, 937, 953, reference code; 1000, another code",
        columns=(BUFFER_CONTEXT,),
        told_apart_by="algo_params.context_sampling",
    ),
    Experiment(
        "sparse-point-robot-small",
        "Sparse 2D navigation, small networks: probabilistic and deterministic z (figure 7)",
        (
            Arm("probabilistic", "ablations/deterministic-small.probabilistic"),
            Arm("deterministic", "ablations/deterministic-small.deterministic"),
        ),
        anchor="return rises with the trajectories, with probabilistic z alone (paper)",
        order=("probabilistic", "deterministic"),
        by_trajectory=True,
    ),
    Experiment(
        "context",
        "Where context comes from, on the quickstart (figure 6)",
        (
            Arm("recent", "ablations/context-small.recent", runs_of="quickstart"),
            Arm("off-policy-rl-batch", "ablations/context-small.off-policy-rl-batch"),
            Arm("off-policy", "ablations/context-small.off-policy"),
        ),
        order=("recent", "off-policy-rl-batch", "off-policy"),
        keeps_weights=False,
    ),
    Experiment(
        "recurrent",
        "How context is encoded, on the quickstart (figure 5)",
        (
            Arm("mlp", "ablations/recurrent-small.mlp", runs_of="quickstart"),
            Arm("rnn-tran", "ablations/recurrent-small.rnn-tran"),
            Arm("rnn-traj", "ablations/recurrent-small.rnn-traj"),
        ),
        order=("mlp", "rnn-tran", "rnn-traj"),
        keeps_weights=False,
    ),
)

ON_GPU = (
    Experiment(
        "cheetah-vel",
        "Half-Cheetah-Vel",
        (Arm("", "cheetah-vel"),),
        device="gpu",
        env_steps=750_000,
        target=-45.0,
        anchor="-37 to -45, another code",
    ),
    Experiment(
        "sparse-point-robot",
        "Sparse 2D navigation",
        (Arm("", "sparse-point-robot"),),
        device="gpu",
        env_steps=1_500_000,
        target=12.0,
        anchor="12 with context from the replay buffer, reference code",
        columns=(BUFFER_CONTEXT,),
        by_trajectory=True,
    ),
    Experiment(
        "ant-dir",
        "Ant-Fwd-Back",
        (Arm("", "ant-dir"),),
        device="gpu",
        env_steps=2_000_000,
        target=1050.0,
        anchor="1050 to 1100, other codes",
    ),
    Experiment(
        "cheetah-dir-long",
        "Half-Cheetah-Fwd-Back, longer",
        (Arm("", "cheetah-dir"),),
        device="gpu",
        env_steps=1_500_000,
        target=1250.0,
        anchor="1100 to 1400 after 1.0M, 1550 after 2.5M, other codes",
    ),
    Experiment(
        "walker-rand-params",
        "Walker-2D-Params",
        (Arm("", "walker-rand-params"),),
        device="gpu",
        env_steps=1_100_000,
        target=720.0,
        anchor="720, another code; paper about 800 in the end",
    ),
    Experiment(
        "ant-goal",
        "Ant-Goal-2D",
        (Arm("", "ant-goal"), Arm("trajectories", "ablations/ant-goal-context.trajectories")),
        device="gpu",
        env_steps=3_000_000,
        target=-440.0,
        anchor="-440, reference code; paper about -200 after 10M",
        columns=(BUFFER_CONTEXT,),
        told_apart_by="algo_params.context_sampling",
    ),
    Experiment(
        "humanoid-dir",
        "Humanoid-Direc-2D",
        (Arm("", "humanoid-dir"),),
        device="gpu",
        env_steps=1_500_000,
        target=985.0,
        anchor="985 to 1000 after 1.3M to 2M, other codes",
        columns=("Test velocity",),
    ),
)

EXPERIMENTS = (*ON_CPU, *ON_GPU)


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
