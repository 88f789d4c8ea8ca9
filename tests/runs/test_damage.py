"""Damaged files of a run are found out: the checkpoint before is taken, or one line says so and nothing changes."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from runs.short import LONGER, resume, rows, start

from rlkit.launchers.simulation import open_run
from rlkit.runs.checkpoint import CheckpointStore
from rlkit.torch.pytorch_util import explain_memory
from rlkit.torch.sac.weights import read_weights
from rlkit.util.errors import RunError, UserError
from rlkit.util.files import read_json


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two iterations, and the rows of one of three."""
    base = tmp_path_factory.mktemp("runs")
    whole = start(base, "whole", **{"algo_params.num_iterations": 3})[1]
    return start(base, "run")[1], rows(whole)


def flips(path, rng, count):
    data = path.read_bytes()
    for place in rng.integers(len(data) * 8, size=count):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << (place % 8)
        yield bytes(damaged)


@pytest.mark.parametrize(
    "name", ["checkpoints/00000003.json", "checkpoints/00000003.npz", "progress.csv", "variant.json", "tasks.json"]
)
@pytest.mark.parametrize("count", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_a_flipped_bit_changes_no_number(run, tmp_path, name, count):
    folder, whole = run
    for number, damaged in enumerate(flips(folder / name, np.random.default_rng(count), count)):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(damaged)
        result = resume(copy, *LONGER)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        if result.exit_code == 0:
            assert rows(copy) == whole
        else:
            assert result.exit_code in (1, 2)
            assert (copy / name).read_bytes() == damaged


def test_a_table_that_a_power_cut_emptied_is_refused_and_one_of_the_checkpoint_before_is_taken(run, tmp_path):
    folder, whole = run
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    table = (copy / "progress.csv").read_bytes()
    os.truncate(copy / "progress.csv", len(b"".join(table.splitlines(keepends=True)[:2])))
    result = resume(copy, *LONGER)
    assert result.exit_code == 0, result.output
    assert "trying the checkpoint before it" in result.output
    assert rows(copy) == whole


def test_the_table_is_on_disk_before_a_checkpoint_that_relies_on_it(run, tmp_path, monkeypatch):
    """A copy of the disk as of any fsync'd checkpoint has the rows, since these were fsync'd before."""
    synced = []
    fsync, save = os.fsync, CheckpointStore.save
    monkeypatch.setattr(
        os, "fsync", lambda handle: (synced.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )

    def save_and_look(self, number, checkpoint):
        assert any(path.endswith("progress.csv") for path in synced), synced
        assert any(path.endswith("experience.journal") for path in synced), synced
        synced.clear()
        save(self, number, checkpoint)
        assert str(copy) in synced  # the names in the run's folder
        assert str(copy / "checkpoints") in synced

    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    monkeypatch.setattr(CheckpointStore, "save", save_and_look)
    assert resume(copy, *LONGER).exit_code == 0


@pytest.mark.parametrize(
    "content", [[1, 2], torch.zeros(3), {"fc0.weight": 1}, {"fc0.weight": torch.full((2, 2), torch.nan)}, None]
)
def test_what_is_no_networks_weights_is_refused_in_one_line(tmp_path, content):
    if content is None:
        (tmp_path / "policy.pth").touch()
    else:
        torch.save(content, tmp_path / "policy.pth")
    with pytest.raises(UserError) as refusal:
        read_weights(tmp_path, "policy")
    assert "policy.pth" in str(refusal.value)
    assert "weights_only" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_flipped_bit_in_weights_is_refused_or_changes_nothing(run, tmp_path):
    whole = read_weights(run[0], "policy")
    for damaged in flips(run[0] / "policy.pth", np.random.default_rng(0), 60):
        (tmp_path / "policy.pth").write_bytes(damaged)
        try:
            found = read_weights(tmp_path, "policy")
        except UserError:
            continue
        assert all(torch.equal(found[name], value) for name, value in whole.items())


def test_a_strangers_name_among_checkpoints_is_passed_over(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for name in ("²", "٣", "1.5", "00000002"):
        (tmp_path / f"checkpoints/{name}.json").touch()
    assert CheckpointStore(tmp_path, 1).numbers() == [2]


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]"])
def test_numbers_that_json_does_not_have_are_damage(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    assert read_json(tmp_path / "status.json") is None


def test_only_what_lacks_memory_is_called_so():
    with pytest.raises(RuntimeError, match="memory format"), explain_memory():
        raise RuntimeError("unsupported memory format option")
    with pytest.raises(RunError, match="out of memory"), explain_memory():
        torch.empty(2**60)


def test_an_unforeseen_error_keeps_its_traceback_in_the_log(run, tmp_path, monkeypatch):
    from rlkit.torch.sac.pearl import PEARLTrainer

    def fail(*arguments):
        raise RuntimeError("first line\nexpected scalar type in memory")

    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    monkeypatch.setattr(PEARLTrainer, "update", fail)
    result = resume(copy, *LONGER)
    assert result.exit_code == 1
    assert "expected scalar type in memory" in result.output.splitlines()[-1]
    assert "out of memory" not in result.output
    assert "Traceback" not in result.output
    assert "in fail" in (copy / "debug.log").read_text()


def edit(path, key, value):
    tree = json.loads(path.read_text())
    tree["algo_params"][key] = value
    path.write_text(json.dumps(tree))


def test_a_setting_that_makes_the_numbers_is_not_taken_from_an_edited_file(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    edit(copy / "variant.json", "qf_lr", 7e-4)
    before = (copy / "progress.csv").read_bytes()
    result = resume(copy, *LONGER)
    assert result.exit_code == 2
    for part in ("variant.json", "algo_params.qf_lr", "0.0007", "0.0003", "--set"):
        assert part in result.output
    assert (copy / "progress.csv").read_bytes() == before
    with pytest.raises(UserError, match="qf_lr"):
        open_run(copy, None, ())


def test_a_setting_that_may_change_is_taken_and_said(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    edit(copy / "variant.json", "num_iterations", 3)
    result = resume(copy)
    assert result.exit_code == 0, result.output
    assert "algo_params.num_iterations is 3" in result.output
    assert rows(copy) == run[1]


def test_an_edited_task_set_is_not_simulated(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    open_run(copy, None, ())
    tasks = json.loads((copy / "tasks.json").read_text())
    tasks["tasks"][0]["goal"][0] += 0.1
    (copy / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(UserError, match=r"tasks\.json"):
        open_run(copy, None, ())


def test_a_run_of_an_earlier_version_without_checksums_goes_on(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    versions = json.loads((copy / "versions.json").read_text())
    del versions["began"], versions["began_sha256"]
    (copy / "versions.json").write_text(json.dumps(versions))
    for path in (copy / "checkpoints").glob("*.json"):
        manifest = json.loads(path.read_text())
        del manifest["manifest_sha256"], manifest["state"]["place"]["csv_sha256"]
        path.write_text(json.dumps(manifest))
    result = resume(copy, *LONGER)
    assert result.exit_code == 0, result.output
    assert rows(copy) == run[1]


def test_nobody_waits_for_the_other_end_of_a_fifo(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    (copy / "progress.csv").unlink()
    os.mkfifo(copy / "progress.csv")
    signal.alarm(60)  # ends the tests where it hangs
    result = resume(copy, *LONGER)
    signal.alarm(0)
    assert result.exit_code in (1, 2)
    assert len(result.output.splitlines()) == 1
    assert "progress.csv" in result.output
