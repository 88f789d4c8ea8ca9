"""`~` is the home folder in every path, also where no shell has expanded it."""

import importlib
import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from launch_experiment import main
from rlkit.config.files import load_config
from rlkit.launchers.trained_agent import load_experiment
from rlkit.util.command import UserPath

ROOT = Path(__file__).parent.parent
COMMANDS = ["launch_experiment", *(f"scripts.{path.stem}" for path in sorted((ROOT / "scripts").glob("*.py")))]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_in_configs_and_where_runs_go(home, monkeypatch):
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    (home / "base.json").write_text(json.dumps({"base": str(ROOT / "configs/debug.json")}))
    util = {"base_log_dir": "~/runs", "use_gpu": False, "plots": False}
    (home / "config.json").write_text(json.dumps({"base": "~/base.json", "util_params": util}))
    result = CliRunner().invoke(main, ["~/config.json"])
    assert result.exit_code == 0, result.output
    folder = home / "runs/point-robot/debug"
    weights = ["--set", "path_to_weights=~/runs/point-robot/debug", "--name", "second"]
    result = CliRunner().invoke(main, ["~/config.json", *weights])
    assert result.exit_code == 0, result.output
    more = ["--set", "algo_params.num_iterations=3"]
    assert CliRunner().invoke(main, ["--resume", "~/runs/point-robot/debug", *more]).exit_code == 0
    assert len((folder / "progress.csv").read_text().splitlines()) == 4
    assert load_experiment("~/runs/point-robot/debug").config == load_config("~/runs/point-robot/debug/variant.json")
    assert not os.listdir(home / "elsewhere")


@pytest.mark.parametrize("name", COMMANDS)
def test_among_the_words_of_commands(name, home):
    paths = [
        param.type
        for param in getattr(importlib.import_module(name).main, "params", [])
        if isinstance(param.type, click.Path)
    ]
    assert all(isinstance(kind, UserPath) for kind in paths)


def test_a_path_among_words_is_expanded(home):
    assert UserPath().convert("~/run", None, None) == home / "run"
    assert UserPath().convert(Path("~/run"), None, None) == home / "run"
