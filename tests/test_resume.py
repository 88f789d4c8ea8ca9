"""An interrupted and resumed run writes what an uninterrupted one writes; damaged files are found out."""

import csv
import fcntl
import json
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from launch_experiment import main
from rlkit.runs.folder import RunFolder
from rlkit.runs.logger import RunLogger
from rlkit.util.errors import StopRequested
from rlkit.util.signals import StopSignal

ROOT = Path(__file__).parent.parent
SHORT = {
    "algo_params.num_iterations": 3,
    "algo_params.num_train_steps_per_itr": 4,
    "algo_params.meta_batch": 4,
    "algo_params.batch_size": 16,
    "algo_params.num_initial_steps": 200,
    "algo_params.num_evals": 1,
    "algo_params.num_tasks_sample": 3,
    "n_train_tasks": 8,
    "n_eval_tasks": 3,
    "net_size": 24,
    "util_params.plots": False,
}


def settings(changes):
    return [word for key, value in changes.items() for word in ("--set", f"{key}={json.dumps(value)}")]


@pytest.fixture
def start(tmp_path, place):
    """Begin a short run in this process; returns its outcome and folder."""

    def start(env="point-robot", name="run", **changes):
        every = {**SHORT, **changes, "util_params.base_log_dir": str(tmp_path)}
        config = str(ROOT / f"configs/{env}.json")
        arguments = [config, *place, "--seed", "5", "--name", name, *settings(every)]
        return CliRunner().invoke(main, arguments), tmp_path / env / name

    return start


def resume(folder, *arguments):
    return CliRunner().invoke(main, ["--resume", str(folder), *arguments])


def rows(folder):
    with (folder / "progress.csv").open() as file:
        return [{k: v for k, v in row.items() if "(s)" not in k} for row in csv.DictReader(file)]


def weights(folder):
    return {path.name: torch.load(path, weights_only=True) for path in folder.glob("*.pth")}


def stop_at(monkeypatch, number):
    """Let the `number`-th look at the stop signal find one."""
    looks = iter(range(number))

    def check(self):
        if next(looks, None) is None:
            self.received = signal.SIGTERM
            raise StopRequested(signal.SIGTERM)

    monkeypatch.setattr(StopSignal, "check", check)


@pytest.mark.parametrize("env", ["point-robot", pytest.param("cheetah-vel", marks=pytest.mark.slow)])
def test_stopping_at_any_look_changes_nothing(device, start, monkeypatch, env):
    """Stops after one more look each time, wherever that is: collecting, training, between iterations."""
    result, whole = start(env, "whole")
    assert result.exit_code == 0, result.output
    for looks in (0, 3, 7):
        monkeypatch.undo()
        stop_at(monkeypatch, looks)
        result, folder = start(env, f"stopped-{looks}")
        stops = 0
        while result.exit_code == 0 and "stopped by SIGTERM" in result.output:
            stops += 1
            assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
            assert stops < 60, "no progress"
            stop_at(monkeypatch, looks + stops)
            result = resume(folder)
        assert result.exit_code == 0, result.output
        assert stops >= 2
        assert rows(folder) == rows(whole)
        for name, state in weights(whole).items():
            for key, value in state.items():
                assert torch.equal(weights(folder)[name][key], value), (name, key)


def test_more_iterations_go_on_from_a_finished_run(device, start):
    _, whole = start(name="whole", **{"algo_params.num_iterations": 5})
    _, folder = start()
    assert resume(folder).exit_code == 2
    result = resume(folder, "--set", "algo_params.num_iterations=5")
    assert result.exit_code == 0, result.output
    assert rows(folder) == rows(whole)


def test_a_run_killed_behind_its_last_checkpoint_is_ended_properly(start, monkeypatch):
    _, whole = start(name="whole")
    with monkeypatch.context() as killed:
        killed.setattr(RunLogger, "write_hyperparameters", Mock(side_effect=KeyboardInterrupt))
        killed.setattr(RunLogger, "_write_status", Mock())
        _, folder = start(**{"util_params.plots": True})
    assert not RunFolder(folder).is_finished
    result = resume(folder)
    assert result.exit_code == 0, result.output
    assert RunFolder(folder).is_finished
    assert rows(folder) == rows(whole)
    assert (folder / "plots/learning_curve.png").exists()
    assert "is complete" in resume(folder).output


def test_a_run_beyond_the_wanted_iterations_is_left_as_it_is(start, monkeypatch):
    stop_at(monkeypatch, 40)
    _, folder = start(**{"algo_params.num_iterations": 30})
    monkeypatch.undo()
    status = json.loads((folder / "status.json").read_text())
    assert status["state"] == "interrupted"
    assert status["iteration"] > 1
    result = resume(folder, "--set", "algo_params.num_iterations=1")
    assert result.exit_code == 2
    assert "is complete" in result.output
    assert json.loads((folder / "status.json").read_text()) == status


def test_rows_that_ran_ahead_of_the_checkpoint_are_cut_off(start, monkeypatch):
    _, whole = start(name="whole")
    _, folder = start(**{"util_params.checkpoint_interval": 2, "algo_params.num_iterations": 2})
    with (folder / "progress.csv").open("a") as file:
        file.write("9,9,9,half a row")
    assert resume(folder, "--set", "algo_params.num_iterations=3").exit_code == 0
    assert rows(folder) == rows(whole)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(device, start):
    _, whole = start(name="whole", **{"algo_params.num_iterations": 4})
    _, folder = start()
    newest = max((folder / "checkpoints").glob("*.npz"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 0xFF
    newest.write_bytes(data)
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 0, result.output
    assert f"{newest} is damaged" in result.output
    assert rows(folder) == rows(whole)


def test_without_a_whole_checkpoint_nothing_is_touched(start):
    _, folder = start()
    before = (folder / "progress.csv").read_bytes()
    for path in (folder / "checkpoints").glob("*.npz"):
        path.write_bytes(b"")
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "no whole checkpoint" in result.output
    assert (folder / "progress.csv").read_bytes() == before


def test_a_changed_journal_is_found_out(start):
    _, folder = start()
    journal = folder / "experience.journal"
    data = bytearray(journal.read_bytes())
    data[200] ^= 1
    journal.write_bytes(data)
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "checksum" in result.output


def test_a_pickle_in_place_of_a_checkpoint_is_not_executed(start, tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    _, folder = start()
    for path in (folder / "checkpoints").glob("*.npz"):
        np.savez(path, allow_pickle=True, state=np.array([Payload()], dtype=object))
        manifest = json.loads(path.with_suffix(".json").read_text())
        import hashlib

        manifest["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_suffix(".json").write_text(json.dumps(manifest))
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    for path in folder.glob("*.pth"):
        path.write_bytes(pickle.dumps(Payload()))
    result, _ = start(name="second", path_to_weights=str(folder))
    assert result.exit_code == 2
    assert "path_to_weights" in result.output
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["--set", "algo_params.discount=0.5"],
            ["algo_params.discount", "0.99", "0.5", "num_iterations"],
        ),
        (["--seed", "6"], ["seed", "from 5 to 6"]),
        (["--name", "x"], ["--name"]),
        (["--debug"], ["--debug"]),
    ],
)
def test_what_may_not_change_is_refused(start, arguments, parts):
    _, folder = start()
    result = resume(folder, *arguments)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.output


def test_a_folder_without_a_run_is_refused(tmp_path):
    result = resume(tmp_path)
    assert result.exit_code == 2
    assert "no run there" in result.output


def test_latest_is_the_run_that_wrote_last(start, tmp_path, monkeypatch):
    _, first = start(name="first")
    _, _second = start(name="second")
    assert resume(first, "--set", "algo_params.num_iterations=4").exit_code == 0
    (tmp_path / "output").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = resume("latest", "--set", "algo_params.num_iterations=5")
    assert result.exit_code == 0, result.output
    assert len(rows(first)) == 5


def test_a_run_in_use_is_refused(start):
    _, folder = start()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "in use" in result.output


def test_other_tasks_than_before_are_refused(start):
    _, folder = start()
    tasks = json.loads((folder / "tasks.json").read_text())
    tasks["tasks"][0]["goal"][0] += 0.1
    (folder / "tasks.json").write_text(json.dumps(tasks))
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "tasks.json was edited or damaged" in result.output
    (folder / "versions.json").unlink()  # as of a run without checksums
    result = resume(folder, "--set", "algo_params.num_iterations=4")
    assert result.exit_code == 2
    assert "other tasks" in result.output


def test_a_loss_that_is_not_finite_stops_the_run_with_a_dump(start):
    result, folder = start(**{"algo_params.qf_lr": 1e30})
    assert result.exit_code == 1
    assert "gradient step" in result.output
    assert "Loss not finite" in result.output
    with np.load(folder / "nan_dump.npz", allow_pickle=False) as dump:
        assert dump["obs"].shape == (4, 16, 2)
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"


def test_a_full_disk_is_said_and_what_was_complete_stays(start, monkeypatch):
    import rlkit.runs.checkpoint as checkpoint

    calls = []

    def full(path, arrays, compress):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(28, "No space left on device", str(path))
        return write(path, arrays, compress=compress)

    write = checkpoint.write_arrays
    monkeypatch.setattr(checkpoint, "write_arrays", full)
    result, folder = start()
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert len(rows(folder)) == 2
    monkeypatch.undo()
    assert resume(folder).exit_code == 0
    assert len(rows(folder)) == 3


def test_a_run_whose_gpu_is_lost_ends_in_one_line_and_goes_on_elsewhere(start, monkeypatch):
    whole, expected = start(name="whole")
    assert whole.exit_code == 0
    looks = iter(range(12))

    def lose(self):
        if next(looks, None) is None:
            raise RuntimeError("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA")

    with monkeypatch.context() as patch:
        patch.setattr(StopSignal, "check", lose)
        lost, folder = start()
    assert lost.exit_code == 1
    assert len(lost.stderr.splitlines()) == 1
    assert "device-side assert" in lost.stderr
    assert f"--resume {folder}" in lost.stderr
    assert resume(folder, "--cpu").exit_code == 0
    assert rows(folder) == rows(expected)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path):
    """SIGKILL, twice, and the csv is that of a run nobody killed."""
    every = {**SHORT, "algo_params.num_iterations": 30, "util_params.base_log_dir": str(tmp_path)}

    def command(name):
        config = [str(ROOT / "configs/point-robot.json"), "--cpu", "--seed", "5", "--name", name]
        return [sys.executable, str(ROOT / "launch_experiment.py"), *config, *settings(every)]

    subprocess.run(command("whole"), check=True, capture_output=True)
    folder = tmp_path / "point-robot/killed"
    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL)
    for num_rows in (2, 6):
        deadline = time.monotonic() + 60
        while not ((folder / "progress.csv").exists() and len(rows(folder)) >= num_rows):
            assert time.monotonic() < deadline, "no rows"
            time.sleep(0.01)
        process.kill()
        process.wait()
        launcher = [sys.executable, str(ROOT / "launch_experiment.py"), "--resume", str(folder)]
        process = subprocess.Popen(launcher, stdout=subprocess.DEVNULL)
    assert process.wait(timeout=60) == 0
    assert rows(folder) == rows(tmp_path / "point-robot/whole")


def test_a_folder_that_vanishes_ends_the_run_in_one_line(start, monkeypatch):
    write = RunLogger.write

    def write_and_vanish(self, result):
        write(self, result)
        shutil.rmtree(self.folder)

    monkeypatch.setattr(RunLogger, "write", write_and_vanish)
    result, _ = start()
    assert result.exit_code == 1
    assert "No such file or directory" in result.output
    assert "Traceback" not in result.output
