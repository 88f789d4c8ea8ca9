"""The native families by id, and what there is to know about each at a glance; `python -m envs` prints it."""

from __future__ import annotations

from typing import NamedTuple

from envs.ant import AntDir, AntGoal
from envs.family import TaskFamily
from envs.half_cheetah import CheetahDir, CheetahVel
from envs.humanoid import HumanoidDir
from envs.point_robot import PointRobot, SparsePointRobot
from envs.rand_params import HopperRandParams, WalkerRandParams


class Entry(NamedTuple):
    """A family, what its tasks vary, the reference's task counts, and the paper's name for it."""

    family: type[TaskFamily]
    varies: str
    num_train_tasks: int
    num_eval_tasks: int
    paper_name: str


CATALOGUE: dict[str, Entry] = {
    "ant-dir": Entry(AntDir, "direction (forward_backward: two)", 2, 2, "Ant-Fwd-Back"),
    "ant-goal": Entry(AntGoal, "goal in a disc of 3 m", 150, 30, "Ant-Goal-2D"),
    "cheetah-dir": Entry(CheetahDir, "forward or backward", 2, 2, "Half-Cheetah-Fwd-Back"),
    "cheetah-vel": Entry(CheetahVel, "target speed, 0 to 3 m/s", 100, 30, "Half-Cheetah-Vel"),
    "hopper-rand-params": Entry(HopperRandParams, "mass, inertia, damping, friction", 40, 10, "-"),
    "humanoid-dir": Entry(HumanoidDir, "direction", 100, 30, "Humanoid-Direc-2D"),
    "point-robot": Entry(PointRobot, "goal in a square", 80, 20, "-"),
    "sparse-point-robot": Entry(SparsePointRobot, "goal on a half circle", 80, 20, "sparse 2D navigation"),
    "walker-rand-params": Entry(WalkerRandParams, "mass, inertia, damping, friction", 40, 10, "Walker-2D-Params"),
}

FAMILIES: dict[str, type[TaskFamily]] = {env_name: entry.family for env_name, entry in CATALOGUE.items()}
"""The native families, whose lanes are simulated together."""

HEADER = ("id", "what varies", "obs", "act", "horizon", "train/eval", "in the paper")


def table() -> str:
    """The families as lines of text: sizes are numbers per lane, the horizon is in steps."""
    rows = [HEADER, *(_row(env_name, entry) for env_name, entry in sorted(CATALOGUE.items()))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(env_name: str, entry: Entry) -> tuple[str, ...]:
    family = entry.family
    sizes = (family.observation_dim, family.action_dim, family.default_max_path_length)
    tasks = f"{entry.num_train_tasks}/{entry.num_eval_tasks}"
    return (env_name, entry.varies, *map(str, sizes), tasks, entry.paper_name)
