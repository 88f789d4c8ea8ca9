"""A run's environments: how many lanes they have, and what they are built with, the same whoever builds them.

Imports of envs are in the functions: they bring mujoco, and a command line should answer before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlkit.config.settings import Config
from rlkit.util.errors import UserError

if TYPE_CHECKING:
    from envs import MetaEnv, Task

MAX_LANES = 128  # episodes that run side by side; more fit, but gain nothing and cost memory
MAX_COPIES = 16  # the same for environments that are not simulated together, of which each lane is a copy


def make_lanes(config: Config, *, tasks: list[Task] | None = None, **changes: Any) -> MetaEnv:
    """The environment of a config, with as many lanes as episodes can run side by side, within bounds.

    Args:
        config: the experiment.
        tasks: take these in place of those that a native family would draw.
        changes: of the parameters.

    Raises:
        UserError: there is no such environment, it cannot be built so, or it lacks what the config needs of it.
    """
    from gymnasium.vector import AutoresetMode

    from envs import is_native, make_env

    name = config.env_name
    try:
        native = is_native(name)
        settings = lane_settings(config, simulated_together=native)
        settings |= {"tasks": tasks} if native and tasks is not None else {}
        env = make_env(name, autoreset_mode=AutoresetMode.DISABLED, **{**settings, **changes})
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{name}: {error}") from None
    if config.algo_params.sparse_rewards and not env.has_sparse_reward:
        if native:
            raise UserError(f"algo_params.sparse_rewards: must be false, {name} gives no sparse reward, got true")
        env.has_sparse_reward = True  # others may name it only in the step that has it
        env.notes = [*env.notes, f"{name}: a first step gave no sparse_reward; where it is missing it counts 0"]
    return env


def lane_settings(config: Config, *, simulated_together: bool) -> dict[str, Any]:
    """Arguments for the environment's constructor.

    There are as many lanes as the initial pool or an evaluation has episodes side by side. Resets draw lane by
    lane, so an evaluation gives the same numbers again where the lanes are as many.

    Args:
        config: the experiment.
        simulated_together: whether the lanes of the task family are one simulation, or copies.
    """
    algo = config.algo_params
    episodes = max(
        config.n_train_tasks * -(-algo.num_initial_steps // algo.max_path_length),
        config.n_eval_tasks * max(algo.num_evals, -(-algo.num_steps_per_eval // algo.max_path_length)),
    )
    threads = {"num_threads": config.util_params.num_threads} if config.util_params.num_threads else {}
    return {
        "num_envs": min(episodes, MAX_LANES if simulated_together else MAX_COPIES),
        "max_path_length": algo.max_path_length,
        **config.env_params.model_dump(),
        **threads,
    }
