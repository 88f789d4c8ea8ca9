"""The benchmark's figures have the form that others' scripts read; how fast anything is, is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
        assert case.keys() == {"value", "limit", "ratio"}
        assert case["value"] > 0
        assert case["limit"] > 0
    assert "torch" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["speed"], "speed"),
        (["memory", "--config", "nowhere.json"], "nowhere.json"),
        (["memory", "--device", "tpu"], "tpu"),
    ],
)
def test_wrong_input_is_one_line(arguments, part):
    result = benchmark(*arguments)
    assert result.returncode == 2
    assert part in result.stderr
    assert "Traceback" not in result.stderr
