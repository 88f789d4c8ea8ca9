"""What goes wrong is said at once, with the value and the choices."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import envs


def test_unknown_id_lists_the_ids():
    with pytest.raises(ValueError, match=r"unknown environment 'cheetah'.*ant-dir.*cheetah-vel.*module:Class"):
        envs.make_env("cheetah", 1)


def test_unknown_parameter_lists_the_parameters():
    with pytest.raises(
        ValueError, match=r"'ant-dir' has no parameter 'forwards'; the nearest is 'forward_backward' of .*n_tasks"
    ):
        envs.make_env("ant-dir", 1, forwards=True)


@pytest.mark.parametrize(
    ("env_name", "params", "message"),
    [
        ("cheetah-vel", {"n_tasks": 0}, "n_tasks must be at least 1, got 0"),
        ("cheetah-dir", {"n_tasks": 3}, "n_tasks must be at most 2"),
        ("cheetah-vel", {"tasks": []}, "the task list is empty"),
        ("cheetah-vel", {"tasks": [{"velocity": 1.0}, {"velocity": [1.0, 2.0]}]}, "task 1: velocity has shape"),
        ("cheetah-vel", {"tasks": [{"speed": 1.0}]}, r"task 0 has the entries \['speed'\], expected \['velocity'\]"),
        ("cheetah-vel", {"tasks": [1.0]}, "task 0 has the entries 1.0"),
        ("cheetah-vel", {"tasks": [{"velocity": "fast"}]}, "task 0: velocity is not made of numbers: 'fast'"),
        ("cheetah-vel", {"tasks": [{"velocity": float("nan")}]}, "task 0: velocity is not finite"),
        ("cheetah-vel", {"tasks": [{"velocity": 3.5}]}, "task 0: velocity must be within 0.0 and 3.0 m/s, got 3.5"),
        ("cheetah-dir", {"tasks": [{"direction": 0.5}]}, "task 0: direction must be -1 or 1, got 0.5"),
        ("ant-dir", {"tasks": [{"angle": -1.0}]}, "task 0: angle must be within"),
        ("ant-goal", {"tasks": [{"goal": [3.0, 3.0]}]}, "task 0: the goal's distance .* within 0.0 and 3.0 m"),
        ("ant-goal", {"tasks": [{"goal": [3.0]}]}, r"task 0: goal has shape \(1,\), expected \(2,\)"),
        ("humanoid-dir", {"tasks": [{"angle": 7.0}]}, "task 0: angle must be within"),
        ("point-robot", {"tasks": [{"goal": [0.0, 1.5]}]}, "task 0: goal must be within -1.0 and 1.0"),
        ("hopper-rand-params", {"randomize_tasks": False}, "no evenly spaced tasks"),
        ("point-robot", {"num_envs": 0}, "num_envs must be at least 1"),
        ("point-robot", {"max_path_length": 0}, "max_path_length must be at least 1"),
        ("point-robot", {"render_mode": "human"}, "render_mode must be None or 'rgb_array'"),
        ("point-robot", {"autoreset_mode": AutoresetMode.SAME_STEP}, "autoreset_mode must be"),
    ],
)
def test_refused_at_construction(env_name, params, message):
    with pytest.raises(ValueError, match=message):
        envs.make_env(env_name, **{"num_envs": 1, **params})


def test_a_body_out_of_range_is_named_by_its_entry(build):
    tasks = build("hopper-rand-params", n_tasks=2).tasks
    tasks[1]["body_mass"][2] *= -1
    with pytest.raises(ValueError, match=r"task 1: body_mass\[2\] must be within"):
        build("hopper-rand-params", tasks=tasks)


@pytest.mark.parametrize(
    ("indices", "lanes", "error", "message"),
    [
        (5, None, IndexError, r"task index must be in 0\.\.4, got 5$"),
        ([0, -1, 1], None, IndexError, r"task index must be in 0\.\.4, got -1$"),
        ([0, 1], None, ValueError, "3 lanes need one task index or 3"),
        ([1.0], [0], ValueError, "task indices must be integers"),
    ],
)
def test_bad_task_index(indices, lanes, error, message, build):
    env = build("cheetah-vel", 3, n_tasks=5)
    with pytest.raises(error, match=message):
        env.set_tasks(indices, lanes=lanes)
    assert env.lane_tasks.tolist() == [0, 1, 2]


def test_bad_task_index_of_a_single_environment():
    with pytest.raises(IndexError, match="task index must be in"):
        gymnasium.make("PearlMeta/CheetahVel-v0", n_tasks=5, task=5)


def test_a_bad_action_names_its_lane(build):
    env = build("cheetah-vel", 3)
    env.reset(seed=0)
    actions = np.zeros((3, 6))
    actions[2, 4] = np.nan
    before = env.physics.qpos.copy()
    with pytest.raises(ValueError, match="action of lane 2 is not finite"):
        env.step(actions)
    np.testing.assert_array_equal(env.physics.qpos, before)
    with pytest.raises(ValueError, match=r"actions must have shape \(3, 6\), got \(3, 5\)"):
        env.step(np.zeros((3, 5)))


def test_a_frozen_lane_may_be_given_anything(build):
    env = build("cheetah-vel", 2, max_path_length=1)
    env.reset(seed=0)
    env.step(np.zeros((2, 6)))
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step(np.stack([np.zeros(6), np.full(6, np.nan)]))


@pytest.mark.parametrize("env_name", ["cheetah-vel", "point-robot"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_states": np.zeros((2, 1))}, "start_states must have shape"),
        ({"start_states": None, "reset_mask": np.ones(3)}, r"reset_mask must have shape \(2,\)"),
    ],
)
def test_bad_reset_options(env_name, options, message, build):
    env = build(env_name, 2)
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)


@pytest.mark.parametrize(("env_name", "size"), [("cheetah-vel", 18), ("point-robot", 2)])
def test_start_states_must_be_finite(env_name, size, build):
    with pytest.raises(ValueError, match="start_states must be finite"):
        build(env_name, 2).reset(options={"start_states": np.full((2, size), np.inf)})
