"""The GPU check's parts, on the CPU: a part that fails or hangs does not end the others, and what came is kept."""

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import gpu_check  # noqa: E402
from benchmarks import gpu  # noqa: E402
from rlkit.config.files import load_config  # noqa: E402

CPU = torch.device("cpu")


def part(name, code, minutes=1.0):
    return gpu_check.Part(name, minutes, ("-c", code))


def test_without_a_gpu_one_line_says_what_it_would_do(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(gpu_check.main, ["--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "no GPU" in result.stderr
    for name in ("tests", "graph", "gpu", "iteration", "memory", "train"):
        assert name in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_part_that_fails_or_hangs_does_not_end_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "TO_STOP", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    todo = [
        part("fails", "raise SystemExit('broken')"),
        part("hangs", deaf, minutes=0.02),
        part("well", "print('fine')"),
    ]
    results = gpu_check.run_parts(todo, tmp_path, 60.0, {"device": "none"})
    assert results == {"fails": "failed", "hangs": "out of time", "well": "done"}
    assert json.loads((tmp_path / "results.json").read_text()) == {"machine": {"device": "none"}, "parts": results}
    assert (tmp_path / "fails.log").read_text() == "broken\n"
    assert (tmp_path / "well.log").read_text() == "fine\n"


def test_the_last_part_trains_for_what_is_left_and_stops_well(tmp_path):
    patient = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(60)"
    todo = [part("train", patient, minutes=None)]
    assert gpu_check.run_parts(todo, tmp_path, gpu_check.TO_STOP + 1.0, {}) == {"train": "done"}


def test_what_no_time_is_left_for_is_said(tmp_path):
    assert gpu_check.run_parts([part("late", "")], tmp_path, 0.0, {}) == {"late": "out of time"}


@pytest.fixture
def config():
    return {"tiny": load_config(ROOT / "configs/point-robot.json", ["net_size=8", "algo_params.meta_batch=2"], {})}


def test_the_table_has_every_precision_and_mode(config):
    before = torch.get_float32_matmul_precision()
    try:
        cases = dict(gpu.measure(config, CPU, 0.0, modes=("eager", "graph")))
    finally:
        torch.set_float32_matmul_precision(before)
    assert list(cases) == [f"tiny, {p}, {m}" for p in ("float32", "tf32", "bf16") for m in ("eager", "graph")]
    assert all(case.value > 0 and case.limit > 0 for case in cases.values())


def test_graph_and_no_graph_are_compared_by_their_weights(config):
    before = torch.get_float32_matmul_precision()
    try:
        ((name, case),) = gpu.compare(config, CPU)
    finally:
        torch.set_float32_matmul_precision(before)
    assert name == "tiny"
    assert case.value == 0.0  # there are no graphs on the CPU
    assert case.limit == 1e-5


def test_every_part_names_a_command_that_is_there(tmp_path):
    for each in gpu_check.parts(tmp_path, "cuda"):
        if each.command[0] != "-m":
            assert (ROOT / each.command[0]).is_file()
