"""Randomised bodies: each simulation has its task's parameters, to the last bit."""

import numpy as np
import pytest

from envs.rand_params import SCALE_BASES

FAMILIES = ["hopper-rand-params", "walker-rand-params"]


def assert_lanes_have_their_tasks(env):
    for lane, task in enumerate(env.lane_tasks):
        for name in SCALE_BASES:
            np.testing.assert_array_equal(env.physics.param(name)[lane], env.tasks[task][name])


@pytest.mark.parametrize("env_name", FAMILIES)
def test_parameters_stay_the_tasks_through_resets_and_switches(env_name, build, random_steps):
    env = build(env_name, 4, n_tasks=6)
    rng = np.random.default_rng(0)
    for round_ in range(6):
        env.set_tasks(rng.integers(6, size=4))
        env.reset(seed=round_)
        random_steps(env, 3)
        env.set_tasks([round_], lanes=[2])
        env.reset(options={"reset_mask": np.arange(4) == 2})
        random_steps(env, 2)
        assert_lanes_have_their_tasks(env)


@pytest.mark.parametrize("env_name", FAMILIES)
def test_the_physics_follows_the_task(env_name, build):
    """Same state and action, other task, other next state; back in the first task, the first state again."""
    env = build(env_name, 3, n_tasks=2)
    start = np.tile(np.concatenate([env.model.qpos0, np.zeros(env.model.nv)]), (3, 1))
    outcomes = []
    for tasks in ([0, 1, 0], [1, 0, 1], [0, 1, 0]):
        env.set_tasks(tasks)
        env.reset(options={"start_states": start})
        outcomes.append(env.step(np.full((3, env.action_dim), 0.5))[0])
    assert np.abs(outcomes[0][0] - outcomes[0][1]).max() > 1e-3
    np.testing.assert_array_equal(outcomes[0][0], outcomes[0][2])
    np.testing.assert_array_equal(outcomes[1][[1, 0, 1]], outcomes[0][[0, 1, 0]])
    np.testing.assert_array_equal(outcomes[2], outcomes[0])


@pytest.mark.parametrize("env_name", FAMILIES)
def test_draws_scale_the_nominal_model(env_name, build):
    env = build(env_name, n_tasks=200)
    for name, base in SCALE_BASES.items():
        values, nominal = np.array([task[name] for task in env.tasks]), getattr(env.model, name)
        assert (values[:, nominal == 0] == 0).all()
        exponents = np.log(values[:, nominal > 0] / nominal[nominal > 0]) / np.log(base)
        assert -3 <= exponents.min() < -2.9
        assert 2.9 < exponents.max() <= 3
        assert abs(exponents.mean()) < 0.1
