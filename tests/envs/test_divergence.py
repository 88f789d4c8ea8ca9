"""A simulation that blows up ends its own episode and nothing else."""

import numpy as np
import pytest

MUJOCO_FAMILIES = [
    "ant-dir", "ant-goal", "cheetah-dir", "cheetah-vel", "hopper-rand-params", "humanoid-dir", "walker-rand-params",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to MUJOCO_LOG.TXT


@pytest.mark.parametrize("env_name", MUJOCO_FAMILIES)
def test_a_diverging_lane_ends_and_the_others_go_on(env_name, build):
    env, undisturbed = build(env_name, 3), build(env_name, 3)
    env.reset(seed=0)
    start = np.concatenate([env.physics.qpos, env.physics.qvel], axis=1)
    undisturbed.reset(options={"start_states": start})
    wild = start.copy()
    wild[1, env.model.nq :] = 1e8
    env.reset(options={"start_states": wild})

    for step in range(3):
        actions = np.full((3, env.action_dim), 0.1)
        observations, rewards, terminations, truncations, info = env.step(actions)
        expected = undisturbed.step(actions)
        assert not terminations.any()  # a broken simulator is no end of the task
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        assert all(np.isfinite(value).all() for value in info.values())
        np.testing.assert_array_equal(observations[[0, 2]], expected[0][[0, 2]])
        np.testing.assert_array_equal(rewards[[0, 2]], expected[1][[0, 2]])
        assert info["diverged"].tolist() == [False, step == 0, False]
        assert truncations.tolist() == [False, True, False]


@pytest.mark.parametrize("env_name", MUJOCO_FAMILIES)
def test_a_diverged_lane_is_sound_after_its_reset(env_name, build, random_steps):
    env = build(env_name, 2)
    env.reset(seed=0)
    env.physics.qpos[1] = np.nan
    assert random_steps(env, 1)[4]["diverged"].tolist() == [False, True]
    env.reset(seed=1)
    observations, rewards, _, _, info = random_steps(env, 1)
    assert not info["diverged"].any()
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
