"""What there is to know about each native family at a glance; `python -m envs` prints it."""

from __future__ import annotations

from typing import NamedTuple

from envs.registry import FAMILIES


class Entry(NamedTuple):
    """A family's line: what its tasks vary, the reference's task counts, and the paper's name for it."""

    varies: str
    num_train_tasks: int
    num_eval_tasks: int
    paper_name: str


CATALOGUE: dict[str, Entry] = {
    "ant-dir": Entry("direction (forward_backward: two)", 2, 2, "Ant-Fwd-Back"),
    "ant-goal": Entry("goal in a disc of 3 m", 150, 30, "Ant-Goal-2D"),
    "cheetah-dir": Entry("forward or backward", 2, 2, "Half-Cheetah-Fwd-Back"),
    "cheetah-vel": Entry("target speed, 0 to 3 m/s", 100, 30, "Half-Cheetah-Vel"),
    "hopper-rand-params": Entry("mass, inertia, damping, friction", 40, 10, "-"),
    "humanoid-dir": Entry("direction", 100, 30, "Humanoid-Direc-2D"),
    "point-robot": Entry("goal in a square", 80, 20, "-"),
    "sparse-point-robot": Entry("goal on a half circle", 80, 20, "sparse 2D navigation"),
    "walker-rand-params": Entry("mass, inertia, damping, friction", 40, 10, "Walker-2D-Params"),
}

HEADER = ("id", "what varies", "obs", "act", "horizon", "train/eval", "in the paper")


def table() -> str:
    """The families as lines of text: sizes are numbers per lane, the horizon is in steps."""
    rows = [HEADER, *(_row(env_name) for env_name in sorted(FAMILIES))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(env_name: str) -> tuple[str, ...]:
    family, entry = FAMILIES[env_name], CATALOGUE[env_name]
    sizes = (family.observation_dim, family.action_dim, family.default_max_path_length)
    tasks = f"{entry.num_train_tasks}/{entry.num_eval_tasks}"
    return (env_name, entry.varies, *map(str, sizes), tasks, entry.paper_name)
