"""The families under gymnasium ids: `gymnasium.make("PearlMeta/CheetahVel-v0")`, and `make_vec` for native lanes."""

from __future__ import annotations

from typing import Any

import gymnasium

from envs.base import MetaEnv
from envs.registry import FAMILIES, make_env

NAMESPACE = "PearlMeta"
NO_LIMIT = 2**31 - 1
"""Steps until our own truncation where gymnasium's `max_episode_steps` sets the limit."""


def gymnasium_id(env_name: str) -> str:
    """`PearlMeta/CheetahVel-v0` for `cheetah-vel`."""
    return f"{NAMESPACE}/{env_name.title().replace('-', '')}-v0"


def vector_env(
    num_envs: int, *, env_name: str, max_path_length: int, max_episode_steps: int = NO_LIMIT, **params: Any
) -> MetaEnv:
    """What `gymnasium.make_vec` calls; the shorter of the two limits truncates."""
    return make_env(env_name, num_envs, max_path_length=min(max_path_length, max_episode_steps), **params)


def register_ids() -> None:
    """Register every family with gymnasium, once per process."""
    for env_name, family in FAMILIES.items():
        if gymnasium_id(env_name) not in gymnasium.registry:
            gymnasium.register(
                gymnasium_id(env_name),
                entry_point="envs.single:SingleEnv",
                vector_entry_point="envs.gymnasium_ids:vector_env",
                max_episode_steps=family.default_max_path_length,
                kwargs={"env_name": env_name, "max_path_length": NO_LIMIT},
            )
