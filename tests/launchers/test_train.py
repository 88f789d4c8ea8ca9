"""Training from Python: as many runs as one likes, in any thread, with nothing of the process changed behind."""

import json
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from rlkit.config.files import changed_config, debug_version, load_config
from rlkit.launchers.build import build
from rlkit.launchers.train import train
from rlkit.runs.folder import RunFolder
from rlkit.util.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    place = {"util_params.base_log_dir": str(tmp_path), "util_params.num_threads": 1, "util_params.plots": False}
    return changed_config(debug_version(load_config(ROOT / "configs/quickstart.json")), {**place, "seed": 3})


def numbers(folder):
    """The rows without times, and the policy."""
    rows = [{name: value for name, value in row.items() if "(s)" not in name} for row in folder.rows()]
    return rows, {name: value.tolist() for name, value in folder.weights("policy").items()}


def test_two_trainings_in_one_process_give_what_two_processes_give(config, tmp_path):
    first, second = (train(config, name=name) for name in ("first", "second"))
    (tmp_path / "config.json").write_text(json.dumps(config.model_dump()))
    command = [sys.executable, str(ROOT / "launch_experiment.py"), str(tmp_path / "config.json"), "--name", "alone"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    alone = RunFolder(first.path.parent / "alone")
    assert numbers(first) == numbers(second) == numbers(alone)
    assert len(first.rows()) == 2


def test_the_process_is_left_as_it_was(config):
    torch.set_float32_matmul_precision("high")
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        before = torch.get_num_threads(), [signal.getsignal(kind) for kind in kinds]
        handlers = list(logging.getLogger("pearl").handlers)
        random = torch.get_rng_state()
        threads = 1 if torch.get_num_threads() > 1 else 2
        train(changed_config(config, {"util_params.num_threads": threads}))
        after = torch.get_num_threads(), [signal.getsignal(kind) for kind in kinds]
        assert before == after
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.equal(random, torch.get_rng_state())
        assert logging.getLogger("pearl").handlers == handlers
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_thread_may_train(config):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(train(config, name="thread")))
    thread.start()
    thread.join()
    assert len(seen[0].rows()) == 2


@pytest.mark.parametrize("kind", [lambda folder: folder, lambda folder: folder.path, lambda folder: str(folder.path)])
def test_a_run_goes_on_by_its_folder_however_it_is_named(config, kind):
    folder = train(config)
    longer = changed_config(config, {"algo_params.num_iterations": 3, "seed": None})
    told = []
    train(longer, resume=kind(folder), on_iteration=told.append)
    assert [result.number for result in told] == [3]
    assert [row["Epoch"] for row in folder.rows()] == [0, 1, 2]


def test_another_config_is_no_config_to_go_on_with(config):
    folder = train(config)
    before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    for key, value in {"net_size": 16, "seed": 4}.items():
        with pytest.raises(UserError, match=f"{key} cannot change"):
            train(changed_config(config, {key: value, "algo_params.num_iterations": 3}), resume=folder)
    with pytest.raises(UserError, match="no run there"):
        train(config, resume="nowhere")
    assert before == {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


def test_parts_come_from_a_config_alone(config):
    parts = build(config)
    result = next(iter(parts.algorithm.train()))
    parts.close()
    assert result.number == 1
    assert np.isfinite(result.row["AverageReturn"])
