"""Task families by id, and how an id becomes an environment."""

from __future__ import annotations

import inspect
from typing import Any

from envs.ant import AntDir, AntGoal
from envs.base import MetaEnv
from envs.family import TaskFamily
from envs.half_cheetah import CheetahDir, CheetahVel
from envs.humanoid import HumanoidDir
from envs.point_robot import PointRobot, SparsePointRobot
from envs.rand_params import HopperRandParams, WalkerRandParams

FAMILIES: dict[str, type[TaskFamily]] = {
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
"""The native families, whose lanes are simulated together."""


def make_env(env_name: str, num_envs: int, **params: Any) -> MetaEnv:
    """Build `num_envs` lanes of a task family by its id; `params` as its class takes them.

    Raises:
        ValueError: unknown id, or parameters that the family refuses.
    """
    family = find_family(env_name)
    known = constructor_params(family)
    for name in params:
        if name not in known:
            raise ValueError(f"'{env_name}' has no parameter '{name}'; it takes {', '.join(sorted(known))}")
    return family(num_envs, **params)


def find_family(env_name: str) -> type[MetaEnv]:
    """The class behind an id.

    Raises:
        ValueError: unknown id.
    """
    if env_name not in FAMILIES:
        raise ValueError(f"unknown environment '{env_name}'; choose one of {', '.join(sorted(FAMILIES))}")
    return FAMILIES[env_name]


def constructor_params(family: type[MetaEnv]) -> set[str]:
    """Names of the keyword parameters of a family and its base classes."""
    return {
        parameter.name
        for cls in family.__mro__
        if "__init__" in vars(cls) and issubclass(cls, MetaEnv)
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
