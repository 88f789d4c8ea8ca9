"""Task families of meta-reinforcement learning on gymnasium, MuJoCo and numpy; knows nothing of PEARL."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from envs.ant import AntDir, AntGoal
from envs.base import MetaEnv, Task
from envs.half_cheetah import CheetahDir, CheetahVel
from envs.humanoid import HumanoidDir
from envs.point_robot import PointRobot, SparsePointRobot
from envs.rand_params import HopperRandParams, WalkerRandParams
from envs.single import SingleEnv

FAMILIES: dict[str, type[MetaEnv]] = {
    "ant-dir": AntDir,
    "ant-goal": AntGoal,
    "cheetah-dir": CheetahDir,
    "cheetah-vel": CheetahVel,
    "hopper-rand-params": HopperRandParams,
    "humanoid-dir": HumanoidDir,
    "point-robot": PointRobot,
    "sparse-point-robot": SparsePointRobot,
    "walker-rand-params": WalkerRandParams,
}

__all__ = ["FAMILIES", "MetaEnv", "SingleEnv", "Task", "make_env", "make_single_env"]


def make_env(env_name: str, num_envs: int, **params: Any) -> MetaEnv:
    """Build `num_envs` lanes of a task family by its id; `params` as its class takes them.

    Raises:
        ValueError: unknown id, or parameters that the family refuses.
    """
    if env_name not in FAMILIES:
        raise ValueError(f"unknown environment '{env_name}'; choose one of {', '.join(sorted(FAMILIES))}")
    return FAMILIES[env_name](num_envs, **params)


def make_single_env(env_name: str, **params: Any) -> SingleEnv:
    """Build one environment of a task family as a `gymnasium.Env`."""
    return SingleEnv(make_env(env_name, 1, autoreset_mode=AutoresetMode.DISABLED, **params))
