"""The benchmark's figures have the form that others' scripts read; how fast anything is, is not tested."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs import make_env

ROOT = Path(__file__).parent.parent


def benchmark(*arguments):
    command = [sys.executable, str(ROOT / "scripts/benchmark.py"), "--seconds", "0", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("section", ["update", "collect", "evaluate", "envs", "iteration", "memory"])
def test_every_section_writes_value_limit_and_ratio(tmp_path, section):
    config = "point-robot" if section in ("update", "memory") else "cheetah-vel"
    path = tmp_path / "figures.json"
    result = benchmark(section, "--json", path, "--config", ROOT / f"configs/{config}.json")
    assert result.returncode == 0, result.stderr
    figures = json.loads(path.read_text())
    assert set(figures) == {section}
    assert figures[section]
    for case in figures[section].values():
        assert case.keys() == {"value", "limit", "ratio", "unit", "note"}
        assert case["value"] > 0
        assert case["limit"] > 0
    assert "torch" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["speed"], "speed"),
        (["memory", "--config", "nowhere.json"], "nowhere.json"),
        (["memory", "--device", "tpu"], "tpu"),
        (["collect", "--config", ROOT / "configs/point-robot.json"], "point-robot has no MuJoCo physics"),
        (["envs", "--config", ROOT / "configs/point-robot.json"], "point-robot has no MuJoCo physics"),
    ],
)
def test_wrong_input_is_one_line(arguments, part):
    result = benchmark(*arguments)
    assert result.returncode == 2
    assert part in result.stderr
    assert "Traceback" not in result.stderr


def test_a_tape_simulates_the_same_episodes_again():
    from scripts.benchmarks.physics import taped

    env = make_env("walker-rand-params", 4, n_tasks=4, max_path_length=6, autoreset_mode=AutoresetMode.DISABLED)
    rng = np.random.default_rng(0)

    def phase():
        env.reset(seed=0)
        for step in range(9):
            _, _, terminated, truncated, _ = env.step(rng.uniform(-1, 1, (4, env.action_dim)))
            over = terminated | truncated
            if step == 3:
                env.set_tasks([3, 2], lanes=[1, 2])
                over[[1, 2]] = True
            if over.any():
                env.reset(options={"reset_mask": over})

    play = taped(env, phase)
    qpos, params = env.physics.qpos.copy(), env.physics.param("body_mass").copy()
    env.set_tasks([0, 0, 0, 0])
    env.reset(seed=1)
    env.step(np.zeros((4, env.action_dim)))
    assert not np.array_equal(env.physics.qpos, qpos)
    play()
    np.testing.assert_array_equal(env.physics.qpos, qpos)
    np.testing.assert_array_equal(env.physics.param("body_mass"), params)


@pytest.mark.slow
def test_a_study_is_measured_beside_its_launchers(monkeypatch):
    from rlkit.config.files import changed_config, debug_version, load_config
    from scripts.benchmarks import sweep

    monkeypatch.setattr(sweep, "TINY_RUNS", 3)
    monkeypatch.setattr(sweep, "EARLY", 1)
    config = changed_config(debug_version(load_config(ROOT / "configs/quickstart.json")), sweep.TINY)
    (_, pair), (_, tiny) = sweep.measure({"quickstart": config})
    assert pair.value > pair.limit > 1.0  # a study starts Ray first
    assert 0 < tiny.value < pair.value
    after_one, after_all = map(int, re.findall(r"(\d+) (?:MiB )?after", tiny.note))
    assert 20 < after_one <= after_all + 20 < 2000
