"""Environments that others wrote, as lanes: old gym's contract and gymnasium's."""

import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces import Box
from gymnasium.wrappers import RescaleAction, TimeLimit

import envs
from envs import registry
from envs.point_robot import PointRobot

OLD, MODERN = "brought:OldContract", "brought:Modern"


@pytest.fixture(autouse=True)
def _a_registry_of_their_own(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture(params=["sync", "async"])
def vectorization(request):
    return request.param


def test_lanes_act_in_their_tasks(build, vectorization):
    env = build(OLD, 3, n_tasks=5, max_path_length=10, vectorization=vectorization)
    values = np.array([task["value"] for task in env.tasks])
    assert (env.action_dim, env.observation_dim, env.has_sparse_reward) == (2, 4, True)
    assert len(set(values)) == 5

    env.set_tasks([4, 0, 2])
    observations, _ = env.reset(seed=0)
    np.testing.assert_allclose(observations[:, 0], values[[4, 0, 2]])
    observations, rewards, terminations, truncations, info = env.step(np.array([[-1.0, 1.0], [0.0, 0.0], [2.0, 9.0]]))
    np.testing.assert_allclose(rewards, values[[4, 0, 2]])
    np.testing.assert_allclose(info["sparse_reward"], 10 + values[[4, 0, 2]])
    np.testing.assert_allclose(observations[:, 1:3], [[-2.0, 1.0], [1.0, 0.5], [4.0, 1.0]])
    assert not (terminations | truncations).any()
    assert set(info) == {"sparse_reward", "diverged"}
    env.close()


def test_ended_lanes_stay_frozen_until_their_reset(build, vectorization):
    env = build(OLD, 2, vectorization=vectorization)
    env.reset(seed=0)
    env.step(np.zeros((2, 2)))
    env.step(np.zeros((2, 2)))
    env.set_tasks([0], lanes=[1])
    env.reset(options={"reset_mask": np.array([False, True])})
    for _ in range(2):
        observations, _, terminations, _, _ = env.step(np.zeros((2, 2)))
    assert terminations.tolist() == [True, False]
    frozen = observations[0]
    observations, rewards, terminations, _, info = env.step(np.full((2, 2), 0.5))
    np.testing.assert_array_equal(observations[0], frozen)
    assert rewards[0] == info["sparse_reward"][0] == 0
    assert rewards[1] == env.tasks[0]["value"]
    assert terminations.tolist() == [True, False]
    env.close()


def test_the_first_reset_may_be_of_some_lanes(build, vectorization):
    env = build(OLD, 3, vectorization=vectorization)
    observations, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert observations[1, 0] == env.tasks[1]["value"]
    _, rewards, terminations, truncations, _ = env.step(np.zeros((3, 2)))
    assert rewards.tolist() == [0, env.tasks[1]["value"], 0]
    assert (terminations | truncations).tolist() == [True, False, True]
    env.close()


def test_sync_and_async_give_the_same_numbers_for_a_seed(build):
    observations = []
    for vectorization in ("sync", "async", "sync"):
        env = build(OLD, 3, vectorization=vectorization)
        env.reset(seed=7)
        observations.append(env.step(np.zeros((3, 2)))[0])
        env.close()
    np.testing.assert_array_equal(observations[0], observations[1])
    np.testing.assert_array_equal(observations[0], observations[2])
    assert len(set(observations[0][:, 3])) == 3


def test_unseeded_copies_differ(build):
    observations, _ = build(OLD, 4).reset()
    assert len(set(observations[:, 3])) == 4


def test_the_global_generators_are_left_alone(build):
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    env = build(OLD, 2)
    env.reset(seed=0)
    env.step(np.zeros((2, 2)))
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before  # noqa: NPY002


def test_tasks_depend_on_the_task_seed(build):
    assert build(OLD, 1, n_tasks=3).tasks == build(OLD, 2, n_tasks=3).tasks
    assert build(OLD, 1, n_tasks=3).tasks != build(OLD, 1, n_tasks=3, task_seed=2).tasks
    env = build(OLD, 1)
    drawn = env.sample_tasks(4, np.random.default_rng(0))
    assert len(drawn) == 4
    assert drawn != env.sample_tasks(4, np.random.default_rng(1))
    assert build(OLD, 2, tasks=drawn).tasks == drawn


def test_parameters_reach_the_class(build):
    assert build(OLD, 1, offset=100.0).tasks[0]["value"] > 100
    with pytest.raises(
        ValueError, match="OldContract has no parameter 'ofset'; it takes n_tasks, randomize_tasks, offset"
    ):
        build(OLD, 1, ofset=1.0)


def test_open_ended_classes_hand_on_what_their_bases_take(build):
    from brought import OldContract

    class Wrapped(OldContract):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    assert len(build_registered(build, Wrapped, n_tasks=6).tasks) == 6


def test_a_copy_without_a_picture_says_so(build):
    from brought import OldContract

    class Printing(OldContract):
        def render(self):
            print(self.value)

    env = build_registered(build, Printing, render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(RuntimeError, match="Printing gives no picture"):
        env.render()


def test_gymnasium_environment_with_its_own_limit(build, vectorization):
    env = build(MODERN, 2, n_tasks=3, own_limit=3, vectorization=vectorization)
    env.set_tasks([2, 1])
    first, _ = env.reset(seed=0)
    assert first[:, 0].tolist() == [2, 1]
    assert first[0, 1] != first[1, 1]
    for step in range(1, 4):
        _, rewards, terminations, truncations, info = env.step(np.zeros((2, 1)))
        assert rewards.tolist() == info["reward_index"].tolist() == [2, 1]
        assert not terminations.any()
        assert truncations.tolist() == [step == 3] * 2
    np.testing.assert_array_equal(env.reset(seed=0)[0], first)
    env.close()


def test_a_copy_that_diverges_ends(build):
    env = build(MODERN, 2)
    first, _ = env.reset(seed=0)
    observations, rewards, terminations, truncations, info = env.step(np.array([[1.0], [0.5]]))
    np.testing.assert_array_equal(observations, first)
    assert rewards.tolist() == [0, 1]
    assert truncations.tolist() == info["diverged"].astype(bool).tolist() == [True, False]
    assert not terminations.any()


def test_next_step_autoreset_and_single_environment():
    env = envs.make_env(OLD, 2)
    env.reset(seed=0)
    ends = [env.step(np.zeros((2, 2)))[2].tolist() for _ in range(6)]
    assert ends == [[False] * 2] * 3 + [[True] * 2] + [[False] * 2] * 2
    single = envs.SingleEnv(OLD, task=1)
    observation, _ = single.reset(seed=0)
    assert observation[0] == single.task["value"] == single.step(np.zeros(2))[1]


def test_pictures_come_from_the_copies(build):
    env = build(MODERN, 2, render_mode="rgb_array")
    env.reset(seed=0)
    frames = env.render()
    assert [frame[0, 0, 0] for frame in frames] == [0, 1]


def test_registered_as_decorator_by_call_and_by_module(build, tmp_path, monkeypatch):
    from brought import Modern, OldContract

    assert envs.register_env("old", OldContract) is OldContract
    assert envs.register_env("modern")(Modern) is Modern
    assert len(build("old", 1, n_tasks=4).tasks) == 4
    assert build("modern", 1).observation_dim == 2
    envs.register_env("old", OldContract)  # a module read twice
    with pytest.raises(ValueError, match=r"the environment id 'old' is taken by brought\.OldContract"):
        envs.register_env("old", Modern)
    with pytest.raises(ValueError, match=r"'ant-dir' is taken by envs\.ant\.AntDir"):
        envs.register_env("ant-dir", Modern)

    (tmp_path / "registers_itself.py").write_text(
        "import brought, envs\nenvs.register_env('by-id')(brought.Modern)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert build("registers_itself:by-id", 1).observation_dim == 2
    assert not envs.is_native("by-id")
    sys.modules.pop("registers_itself")


def test_a_registered_task_family_is_native(build):
    @envs.register_env("slow-point")
    class SlowPoint(PointRobot):
        default_max_path_length = 50

    assert envs.is_native("slow-point")
    assert isinstance(build("slow-point", 3), SlowPoint)


@pytest.mark.parametrize(
    ("env_name", "params", "message"),
    [
        (OLD, {"vectorization": "threads"}, "vectorization must be sync or async, got 'threads'"),
        (OLD, {"n_tasks": 0}, "n_tasks must be at least 1"),
        (MODERN, {"n_tasks": 4}, "n_tasks must be at most 3, the tasks that there are, got 4"),
        ("brought:Nothing", {}, "module 'brought' has no class 'Nothing'"),
        ("no_such_module:Env", {}, "cannot import 'no_such_module'"),
        ("random:Random", {}, "Random lacks reset, step, reset_task"),
    ],
)
def test_refused(env_name, params, message, build):
    with pytest.raises(ValueError, match=message):
        build(env_name, 1, **params)


def test_tasks_can_be_saved_whatever_they_are(build):
    from brought import Modern

    class Arrays(Modern):
        def __init__(self):
            super().__init__()
            self.tasks = [np.array([0.5, 1.0]), {"mass": np.float32(2.0), "goal": (1, 2)}, Path]

    class IndicesOnly(Modern):
        def __init__(self):
            super().__init__()
            del self.tasks

        def get_all_task_idx(self):
            return range(4)

    tasks = build_registered(build, Arrays, n_tasks=3).tasks
    assert tasks == [[0.5, 1.0], {"mass": 2.0, "goal": [1, 2]}, repr(Path)]
    assert json.loads(json.dumps(tasks)) == tasks
    assert build_registered(build, IndicesOnly, n_tasks=4).tasks == [0, 1, 2, 3]


def test_refused_classes(build):
    from brought import Modern

    class Discrete(Modern):
        action_space = 3

    class Taskless(Modern):
        def __init__(self):
            self.nothing = None

    with pytest.raises(ValueError, match="Discrete: action_space must be a box of numbers, got 3"):
        build_registered(build, Discrete)

    class Unseeing(Modern):
        observation_space = spaces.Dict({"at": Box(-1, 1, (1,))})

    with pytest.raises(ValueError, match="Unseeing: observation_space must be a box of numbers, got Dict"):
        build_registered(build, Unseeing)
    with pytest.raises(ValueError, match="Taskless has no tasks"):
        build_registered(build, Taskless)
    with pytest.raises(ValueError, match="an environment is a class, got 5"):
        envs.register_env("five", 5)
    with pytest.raises(ValueError, match="choose their own start states"):
        build(MODERN, 1).reset(options={"start_states": [[0.0]]})
    with pytest.raises(ValueError, match="fixed task set"):
        build(MODERN, 1).sample_tasks(2, np.random.default_rng(0))


def build_registered(build, env_class, **params):
    envs.register_env(env_class.__name__, env_class)
    return build(env_class.__name__, 1, **params)


def test_wrappers_are_looked_through(build, vectorization):
    from brought import Field

    env = build("brought:Limited", 2, n_tasks=3, vectorization=vectorization)
    env.set_tasks([2, 0])
    env.reset(seed=0)
    for step in range(1, 5):
        observations, rewards, _, truncations, _ = env.step(np.zeros((2, 1)))
        np.testing.assert_allclose(rewards, -np.abs(observations[:, 0] - [1, -1]))
        assert truncations.tolist() == [step == 4] * 2
    assert env.tasks == [-1, 0, 1]
    env.close()

    def made(n_tasks=2):
        return TimeLimit(RescaleAction(Field(n_tasks), np.float32(-5), np.float32(5)), 4)

    registered = build_registered(build, made, tasks=[0.25, 0.5])
    registered.reset(seed=0)
    assert registered.own_action_space == Box(-5, 5, (1,))
    assert registered.tasks == [0.25, 0.5]
    observations, rewards, *_ = registered.step(np.zeros((1, 1)))
    np.testing.assert_allclose(rewards, -np.abs(observations[0] - 0.25))


def test_a_wrapper_around_what_has_no_tasks_is_refused(build):
    def made():
        return TimeLimit(gymnasium.make("Pendulum-v1"), 4)

    with pytest.raises(ValueError, match="TimeLimit has no tasks"):
        build_registered(build, made)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.MultiDiscrete([3, 3]), r"must be a box of numbers, got MultiDiscrete\(\[3 3\]\)"),
        (spaces.MultiBinary(2), r"must be a box of numbers, got MultiBinary\(2\)"),
        (spaces.Discrete(3), r"must be a box of numbers, got Discrete\(3\)"),
        (spaces.Dict({"a": Box(-1, 1, (1,))}), "must be a box of numbers, got Dict"),
        (Box(0, 5, (2,), np.int64), "must be a box of numbers, got Box.*; actions here are real numbers"),
        (Box(0, np.inf, (1,)), "must be bounded on both sides, or on none"),
        (Box(np.array([-1, -np.inf]), np.array([1, 0]), dtype=np.float64), "must be bounded on both sides"),
        (SimpleNamespace(shape=(2,), nvec=[3, 3], dtype=np.int64), "must be a box of numbers"),
    ],
)
def test_actions_that_are_no_bounded_numbers_are_refused(build, space, message):
    from brought import Field

    class Odd(Field):
        action_space = space

    with pytest.raises(ValueError, match=f"Odd: action_space {message}") as error:
        build_registered(build, Odd)
    assert "\n" not in str(error.value)


def test_actions_without_bounds_are_within_1_and_that_is_said(build):
    from brought import Field

    class Free(Field):
        action_space = Box(np.array([-np.inf, -4]), np.array([np.inf, 0]), dtype=np.float64)

    env = build_registered(build, Free)
    assert env.notes == ["Free: its action_space has no bounds: actions are within [-1, 1]"]
    assert env.own_action_space == Box(np.array([-1, -4]), np.array([1, 0]), dtype=np.float64)
    assert not build("brought:Field", 1).notes


@pytest.mark.parametrize("reward", [np.array([2.0]), np.array([[2.0]], dtype=np.float32), 2, [2]])
def test_a_reward_may_have_any_shape_of_one_number(build, reward):
    env = build_registered(build, paying(reward))
    env.reset(seed=0)
    assert env.step(np.zeros((1, 1)))[1].tolist() == [2]


@pytest.mark.parametrize("reward", [np.zeros(2), "much", []])
def test_a_reward_that_is_no_number_is_refused(build, reward):
    with pytest.raises(ValueError, match="Paying: a reward must be one number, got"):
        build_registered(build, paying(reward))


def paying(reward):
    from brought import Field

    class Paying(Field):
        def outcome(self):
            observation, _, *rest = super().outcome()
            return observation, reward, *rest

    return Paying
