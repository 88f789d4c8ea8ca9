"""Which folders are started over, which are never touched, and what stands in nobody's way."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from click.testing import CliRunner
from runs import short
from runs.short import command, resume, rows

from launch_experiment import main
from rlkit.runs.folder import RunFolder
from rlkit.runs.lock import locked
from rlkit.util.errors import UserError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def start(tmp_path):
    def start(name="run", **changes):
        return short.start(tmp_path, name, **changes)

    return start


def contents(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"}


def without_checkpoints(folder):
    shutil.rmtree(folder / "checkpoints")
    (folder / "experience.journal").unlink()


@pytest.mark.parametrize("wanted", [None, 4])
@pytest.mark.parametrize("how", ["removed", "never kept", "agent alone", "interrupted"])
def test_a_folder_with_results_is_never_started_over(start, tmp_path, how, wanted):
    _, folder = start(**({"util_params.checkpoint_interval": 0} if how == "never kept" else {}))
    if how != "never kept":
        without_checkpoints(folder)
    if how == "agent alone":
        agent = tmp_path / "agent"
        agent.mkdir()
        for name in ("context_encoder.pth", "policy.pth", "tasks.json", "status.json", "variant.json"):
            shutil.copyfile(folder / name, agent / name)
        folder = agent
    if how == "interrupted":
        (folder / "status.json").unlink()
    before = contents(folder)
    result = resume(folder, *(["--set", f"algo_params.num_iterations={wanted}"] if wanted else []))
    assert result.exit_code == 2, result.output
    assert len(result.output.splitlines()) == 1
    assert "checkpoint" in result.output
    assert contents(folder) == before


def test_starting_over_is_exactly_the_first_time(start, tmp_path):
    _, weights = start("weights")
    _, whole = start("whole", path_to_weights=str(weights))
    _, cold = start("cold")
    _, folder = start(path_to_weights=str(weights))
    without_checkpoints(folder)
    for name in ("progress.csv", "status.json", "tasks.json"):
        (folder / name).unlink()
    result = resume(folder)
    assert result.exit_code == 0, result.output
    assert "starting over" in result.output
    assert rows(folder) == rows(whole) != rows(cold)


LEFT_BY_A_KILL = {
    "an empty folder": (),
    "its lock": (".lock",),
    "a config": (".lock", "variant.json"),
    "tasks": (".lock", "variant.json", "tasks.json", "versions.json"),
    "the first files": (".lock", "variant.json", "tasks.json", "debug.log", ".status.json.tmp"),
}


@pytest.mark.parametrize("left", LEFT_BY_A_KILL)
@pytest.mark.parametrize("by", ["--name", "--resume"])
def test_an_early_kill_blocks_no_folder(start, tmp_path, left, by):
    _, whole = start("whole")
    folder = whole.parent / "run"
    folder.mkdir()
    for name in LEFT_BY_A_KILL[left]:
        shutil.copyfile(whole / name, folder / name) if (whole / name).exists() else (folder / name).touch()
    (folder / "progress.csv").write_text("AverageReturn,Epoch\n1.0")  # a header and half a row
    has_config = (folder / "variant.json").exists()
    result = start("run")[0] if by == "--name" else resume(folder)
    if by == "--resume" and not has_config:
        assert result.exit_code == 2
        assert "--name" in result.output
        result = start("run")[0]
    assert result.exit_code == 0, result.output
    assert rows(folder) == rows(whole)


def test_a_strangers_folder_or_one_with_results_is_not_taken_by_name(start, tmp_path):
    _, folder = start()
    before = contents(folder)
    assert start()[0].exit_code == 2
    assert contents(folder) == before
    (tmp_path / "point-robot/mine").mkdir()
    (tmp_path / "point-robot/mine/thesis.tex").touch()
    assert start("mine")[0].exit_code == 2


def test_a_debug_run_leaves_one_that_is_running_alone(start, tmp_path):
    def debug():
        place = ["--set", f"util_params.base_log_dir={tmp_path}", "--set", "util_params.plots=false"]
        return CliRunner().invoke(main, [str(ROOT / "configs/debug.json"), "--cpu", "--debug", *place])

    assert debug().exit_code == 0
    folder = tmp_path / "point-robot/debug"
    before = contents(folder)
    with locked(folder):
        result = debug()
    assert result.exit_code == 2
    assert "in use" in result.output
    assert contents(folder) == before
    assert debug().exit_code == 0


@pytest.mark.parametrize("stated", ["algo_params.num_iterations=3", 'algo_params={"num_iterations": 3}'])
def test_what_is_stated_wins_over_what_debug_shrinks(tmp_path, stated):
    words = ["--set", stated, "--set", f"util_params.base_log_dir={tmp_path}", "--set", "util_params.plots=false"]
    result = CliRunner().invoke(main, [str(ROOT / "configs/debug.json"), "--cpu", *words])
    assert result.exit_code == 0, result.output
    assert len(rows(tmp_path / "point-robot/debug")) == 3


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_warned_of_once(tmp_path, monkeypatch, code):
    monkeypatch.setattr(fcntl, "flock", Mock(side_effect=OSError(code, os.strerror(code))))
    with pytest.warns(UserWarning, match="without locks") as warned, locked(tmp_path):
        pass
    assert len(warned) == 1
    monkeypatch.undo()
    with locked(tmp_path), pytest.raises(UserError, match="in use"), locked(tmp_path):
        pass


def test_a_finished_run_that_lacks_pictures_gets_them(start):
    _, folder = start(**{"util_params.plots": True})
    pictures = sorted(path.name for path in (folder / "plots").iterdir())
    assert len(pictures) > 3
    for name in pictures[1:]:
        (folder / "plots" / name).unlink()
    without_checkpoints(folder)
    result = resume(folder)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (folder / "plots").iterdir()) == pictures
    assert resume(folder).exit_code == 2


def test_latest_is_looked_for_where_the_config_says(start, tmp_path, monkeypatch):
    _, folder = start()
    monkeypatch.chdir(tmp_path)
    longer = ["--set", "algo_params.num_iterations=3"]
    assert CliRunner().invoke(main, ["--resume", "latest", *longer]).exit_code == 2
    place = ["--set", f"util_params.base_log_dir={tmp_path}"]
    result = CliRunner().invoke(main, ["--resume", "latest", *place, *longer])
    assert result.exit_code == 0, result.output
    assert len(rows(folder)) == 3
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"env_name": "point-robot", "util_params": {"base_log_dir": str(tmp_path)}}))
    result = CliRunner().invoke(main, [str(own), "--resume", "latest", "--set", "algo_params.num_iterations=4"])
    assert result.exit_code == 0, result.output
    assert len(rows(folder)) == 4


@pytest.mark.parametrize("how", ["pipe", "hang-up"])
def test_a_closed_pipe_or_terminal_does_not_end_training(tmp_path, how):
    words = command(tmp_path, "run", **{"algo_params.num_iterations": 8})
    run = [sys.executable, str(ROOT / "launch_experiment.py"), *words]
    folder = tmp_path / "point-robot/run"
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process.stdout.readline()
    process.stdout.close()
    if how == "hang-up":
        deadline = time.monotonic() + 60
        while not (folder / "progress.csv").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 0
    assert RunFolder(folder).is_finished
    assert len(rows(folder)) == 8
    assert "iteration 8/8" in (folder / "debug.log").read_text()
    assert torch.load(folder / "policy.pth", weights_only=True)
