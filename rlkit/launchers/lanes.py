"""How many lanes a run's environments have, and what they are built with: the same whoever builds them."""

from __future__ import annotations

from typing import Any

from rlkit.config.settings import Config

MAX_LANES = 128  # episodes that run side by side; more fit, but gain nothing and cost memory
MAX_COPIES = 16  # the same for environments that are not simulated together, of which each lane is a copy


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
