"""The families as gymnasium environments, single and batched."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import envs
from envs.mujoco_env import MujocoMetaEnv
from envs.single import gymnasium_id

ALL = sorted(envs.FAMILIES)
LIMIT = 7


def make_lanes(env_name, num_envs=3, **params):
    return gymnasium.make_vec(gymnasium_id(env_name), num_envs=num_envs, max_path_length=LIMIT, **params)


@pytest.mark.parametrize("env_name", ALL)
def test_single_environment_passes_the_checker(env_name, opengl_works):
    env = gymnasium.make(gymnasium_id(env_name)).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(minimum|maximum) value is -?infinity.*")
        check_env(env, skip_render_check=not (opengl_works or "point-robot" in env_name))


def test_ids_are_in_camel_case():
    assert gymnasium_id("cheetah-vel") == "PearlMeta/CheetahVel-v0"
    assert gymnasium_id("walker-rand-params") == "PearlMeta/WalkerRandParams-v0"


def test_task_by_value_or_by_index():
    env = gymnasium.make("PearlMeta/CheetahVel-v0", task={"velocity": 1.5})
    assert env.unwrapped.task == {"velocity": 1.5}
    env = gymnasium.make("PearlMeta/CheetahVel-v0", n_tasks=5, task=3)
    assert env.unwrapped.task == env.unwrapped.tasks[3]
    env.unwrapped.reset_task(1)
    assert env.unwrapped.task == env.unwrapped.tasks[1]
    drawn = env.unwrapped.sample_tasks(2, np.random.default_rng(0))
    assert json.loads(json.dumps(drawn)) == drawn


def test_single_environment_takes_a_start_state():
    env = gymnasium.make("PearlMeta/PointRobot-v0")
    observation, _ = env.reset(options={"start_state": [0.25, -0.5]})
    np.testing.assert_array_equal(observation, [0.25, -0.5])


@pytest.mark.parametrize(("max_episode_steps", "expected"), [(None, 20), (5, 5), (30, 30)])
def test_gymnasium_sets_the_time_limit(max_episode_steps, expected):
    limit = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    env = gymnasium.make("PearlMeta/PointRobot-v0", **limit)
    lanes = gymnasium.make_vec("PearlMeta/PointRobot-v0", num_envs=2, **limit)
    env.reset(seed=0)
    lanes.reset(seed=0)
    for step in range(1, expected + 1):
        single, batched = env.step(np.zeros(2))[3], lanes.step(np.zeros((2, 2)))[3]
        assert single == (step == expected)
        assert batched.tolist() == [step == expected] * 2


@pytest.mark.parametrize("env_name", ALL)
def test_make_vec_gives_native_lanes_that_keep_the_vector_contract(env_name):
    env = make_lanes(env_name)
    assert isinstance(env, envs.MetaEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert env.observation_space.shape == (3, *env.single_observation_space.shape)
    assert env.action_space.shape == (3, *env.single_action_space.shape)

    first, info = env.reset(seed=5)
    assert info == {}
    assert env.observation_space.contains(first)
    again, _ = env.reset(seed=5)
    np.testing.assert_array_equal(first, again)
    unseeded, _ = env.reset()
    assert env_name == "sparse-point-robot" or not np.array_equal(first, unseeded)

    returned = [first, again, unseeded]
    env.action_space.seed(0)
    for _ in range(2 * LIMIT):
        actions = env.action_space.sample()
        kept = actions.copy()
        observations, rewards, terminations, truncations, info = env.step(actions)
        np.testing.assert_array_equal(actions, kept)
        assert env.observation_space.contains(observations)
        assert (rewards.shape, rewards.dtype) == ((3,), np.float64)
        assert (terminations.shape, terminations.dtype) == ((3,), np.bool_)
        assert (truncations.shape, truncations.dtype) == ((3,), np.bool_)
        assert all(value.shape[0] == 3 for value in info.values())
        assert not any(np.shares_memory(observations, other) for other in returned)
        returned.append(observations)
    env.close()
    env.close()


@pytest.mark.parametrize("env_name", ALL)
def test_an_ended_lane_resets_in_the_next_step(env_name):
    env = make_lanes(env_name)
    env.reset(seed=0)
    env.action_space.seed(0)
    ended = np.zeros(3, dtype=bool)
    for _ in range(3 * LIMIT):
        _, rewards, terminations, truncations, _ = env.step(env.action_space.sample())
        assert (rewards[ended] == 0).all()
        assert not (terminations | truncations)[ended].any()
        ended = terminations | truncations


@pytest.mark.parametrize("env_name", ALL)
def test_lanes_and_single_environments_agree(env_name):
    lanes = make_lanes(env_name, n_tasks=2)
    singles = [gymnasium.make(gymnasium_id(env_name), n_tasks=2, task=lane % 2) for lane in range(3)]
    for single in singles:
        single.reset(seed=7)
    lanes.reset(options={"start_states": np.concatenate([state_of(single) for single in singles])})
    lanes.action_space.seed(0)
    actions = lanes.action_space.sample()
    outcomes = lanes.step(actions)
    expected = [single.step(action) for single, action in zip(singles, actions, strict=True)]
    for batched, column in zip(outcomes[:4], list(zip(*expected, strict=True))[:4], strict=True):
        np.testing.assert_array_equal(batched, np.stack(column))
    for lane, (*_, info) in enumerate(expected):
        assert info == {name: values[lane] for name, values in outcomes[4].items()}


def state_of(single):
    env = single.unwrapped.meta_env
    if isinstance(env, MujocoMetaEnv):
        return np.concatenate([env.physics.qpos, env.physics.qvel], axis=1)
    return single.reset(seed=7)[0][None]


def test_gymnasium_vector_wrappers_work():
    env = RecordEpisodeStatistics(make_lanes("cheetah-vel"))
    env.reset(seed=0)
    for _ in range(LIMIT):
        *_, info = env.step(env.action_space.sample())
    assert info["episode"]["l"].tolist() == [LIMIT] * 3


def test_copies_in_gymnasiums_own_vector_env():
    env = gymnasium.make_vec("PearlMeta/CheetahVel-v0", num_envs=2, vectorization_mode="sync")
    env.reset(seed=0)
    *_, info = env.step(env.action_space.sample())
    assert info["reward_run"].shape == (2,)


def test_the_spec_rebuilds_the_environment():
    env = gymnasium.make("PearlMeta/AntDir-v0", forward_backward=True, task=1)
    rebuilt = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert rebuilt.unwrapped.task == {"angle": float(np.pi)}


IMPORT_CHECK = """
import random, sys, time
import numpy as np
before = np.random.get_state()[1].tolist(), random.getstate()
start = time.process_time()
import envs
assert time.process_time() - start < 1.0
assert (np.random.get_state()[1].tolist(), random.getstate()) == before
print(sorted(set(sys.modules) & {"torch", "PIL", "OpenGL", "rlkit", "metaworld"}))
"""


def test_import_is_light_and_leaves_the_global_generators_alone():
    outcome = subprocess.run([sys.executable, "-c", IMPORT_CHECK], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"


def test_one_module_knows_the_physics_library():
    package = Path(envs.__file__).parent
    assert [path.name for path in package.glob("*.py") if "import mjbatch" in path.read_text()] == ["physics.py"]
    assert not [path.name for path in package.glob("*.py") if "rlkit" in path.read_text()]
