"""What each family promises beyond its golden trajectories: tasks, reward terms, contacts."""

import json

import numpy as np
import pytest

import envs

ALL = sorted(envs.FAMILIES)
NUM_TASKS = {"cheetah-dir": 2}


@pytest.mark.parametrize("env_name", ALL)
def test_named_terms_sum_to_the_reward(env_name, build):
    env = build(env_name, 3)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(5):
        live = env.live.copy()
        _, rewards, _, _, info = env.step(env.action_space.sample())
        terms = [value for name, value in info.items() if name.startswith("reward_")]
        np.testing.assert_allclose(sum(terms)[live], rewards[live])


@pytest.mark.parametrize("env_name", ALL)
def test_tasks_survive_json_and_depend_on_the_seed_only(env_name, build):
    num_tasks = NUM_TASKS.get(env_name, 5)
    env, same, other = (build(env_name, 2, n_tasks=num_tasks, task_seed=seed) for seed in (1, 1, 2))
    assert env.tasks == same.tasks
    if env_name != "cheetah-dir":
        assert env.tasks != other.tasks
    assert build(env_name, 1, tasks=json.loads(json.dumps(env.tasks))).tasks == env.tasks


@pytest.mark.parametrize("env_name", ALL)
def test_tasks_leave_the_global_generator_alone(env_name, build):
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is tested
    expected = np.random.uniform()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    build(env_name).reset(seed=0)
    assert np.random.uniform() == expected  # noqa: NPY002


@pytest.mark.parametrize("env_name", [name for name in ALL if "rand-params" not in name])
def test_spaced_tasks(env_name, build):
    env = build(env_name, n_tasks=2, randomize_tasks=False)
    assert env.tasks == env.spaced_tasks(2)
    assert env.tasks[0] != env.tasks[1]


def test_the_reference_task_sets(build):
    """The draws of the published task sets, from RandomState(1337)."""
    rng = np.random.RandomState(1337)
    angle = rng.random(180) * 2 * np.pi
    radius = 3.0 * rng.random(180) ** 0.5
    goals = np.array([task["goal"] for task in build("ant-goal", n_tasks=180).tasks])
    np.testing.assert_allclose(goals, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))

    directions = np.random.RandomState(1337).uniform(0, 2 * np.pi, size=130)
    np.testing.assert_array_equal([task["angle"] for task in build("humanoid-dir", n_tasks=130).tasks], directions)


def test_forward_backward_is_exactly_two_directions(build):
    assert build("ant-dir", n_tasks=2, forward_backward=True).tasks == [{"angle": 0.0}, {"angle": float(np.pi)}]
    with pytest.raises(ValueError, match="at most 2"):
        build("ant-dir", n_tasks=3, forward_backward=True)


@pytest.mark.parametrize(
    ("env_name", "task"), [("ant-dir", {"angle": float(np.pi)}), ("cheetah-dir", {"direction": -1.0})]
)
def test_velocity_counts_along_the_task_direction(env_name, task, build):
    """Thrown backwards, a robot whose task is backwards has a positive velocity."""
    env = build(env_name, 1, tasks=[task])
    start = np.concatenate([env.model.qpos0, np.zeros(env.model.nv)])
    start[env.model.nq] = -3.0
    env.reset(options={"start_states": start[None]})
    _, _, _, _, info = env.step(np.zeros((1, env.action_dim)))
    assert info["velocity"][0] > 1.0


def test_humanoid_velocity_is_in_metres_per_second(build):
    env = build("humanoid-dir", 1, tasks=[{"angle": 0.0}])
    start = np.concatenate([env.model.qpos0, np.zeros(env.model.nv)])
    start[env.model.nq] = 2.0
    env.reset(options={"start_states": start[None]})
    _, _, _, _, info = env.step(np.zeros((1, env.action_dim)))
    assert info["velocity"][0] == pytest.approx(2.0, rel=0.1)
    # The reference divides a step's distance by one substep's time.
    assert info["reward_run"][0] == pytest.approx(0.25 * 5 * info["velocity"][0])


def test_humanoid_may_observe_every_number_compressed_and_nothing_is_lost(build, random_steps):
    plain, compressed = (build("humanoid-dir", 2, symlog_observations=on) for on in (False, True))
    for env in (plain, compressed):
        env.reset(seed=0)
    for _ in range(30):
        (observed, reward, *_), (small, same_reward, *_) = (random_steps(env, 1) for env in (plain, compressed))
        np.testing.assert_allclose(np.sign(small) * np.expm1(np.abs(small)), observed, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(reward, same_reward)
    assert np.abs(observed).max() > 100 > 10 > np.abs(small).max()


@pytest.mark.parametrize("env_name", ["ant-dir", "ant-goal", "humanoid-dir"])
def test_contact_forces_are_not_silently_zero(env_name, build, random_steps):
    env = build(env_name, 1)
    env.reset(seed=0)
    costs = [random_steps(env, 1)[4]["reward_contact"][0] for _ in range(30)]
    assert min(costs) < 0
    assert np.abs(env.physics.field("cfrc_ext")).max() > 1.0


def test_ant_goal_observes_clipped_contacts(build, random_steps):
    env = build("ant-goal", 1)
    env.reset(seed=0)
    observations, *_ = random_steps(env, 30)
    assert np.abs(observations[0, 29:]).max() == 1.0
