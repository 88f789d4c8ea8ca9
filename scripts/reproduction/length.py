"""How many environment steps a config's iterations collect; episodes that end early make it a few more."""

from __future__ import annotations

from rlkit.config.settings import Config


def initial_steps(config: Config) -> int:
    """Steps collected before the first iteration."""
    return config.n_train_tasks * _whole_episodes(config, config.algo_params.num_initial_steps)


def steps_per_iteration(config: Config) -> int:
    """Steps collected in an iteration."""
    algo = config.algo_params
    phases = (algo.num_steps_prior, algo.num_steps_posterior, algo.num_extra_rl_steps_posterior)
    return algo.num_tasks_sample * sum(_whole_episodes(config, steps) for steps in phases)


def env_steps_after(config: Config, num_iterations: int) -> int:
    """Steps collected in so many iterations, the first ones included."""
    return initial_steps(config) + num_iterations * steps_per_iteration(config)


def iterations_until(config: Config, env_steps: int) -> int:
    """The iterations that it takes to collect so many steps."""
    return max(1, -(-(env_steps - initial_steps(config)) // steps_per_iteration(config)))


def _whole_episodes(config: Config, steps: int) -> int:
    length = config.algo_params.max_path_length
    return -(-steps // length) * length
