"""Environments as the sampler uses them: no autoreset."""

import pytest
from gymnasium.vector import AutoresetMode

import envs
from envs import rendering


@pytest.fixture
def build():
    """`build(env_name, num_envs, ...)`: lanes that stay where they ended."""

    def build_env(env_name, num_envs=2, **params):
        return envs.make_env(env_name, num_envs, autoreset_mode=AutoresetMode.DISABLED, **params)

    return build_env


@pytest.fixture
def random_steps():
    """`random_steps(env, n)`: step `n` times with random actions; returns the last outcome."""

    def step_randomly(env, num_steps, seed=0):
        env.action_space.seed(seed)
        for _ in range(num_steps):
            outcome = env.step(env.action_space.sample())
        return outcome

    return step_randomly


@pytest.fixture(scope="session")
def opengl_works():
    """Whether this machine can draw MuJoCo scenes; where it cannot, the tests look at the message instead."""
    try:
        rendering.open_context(8, 8).free()
    except rendering.RenderingUnavailableError:
        return False
    return True
