"""The GPU check's parts, on the CPU: a part that fails or hangs does not end the others, and what came is kept."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from viz.synthetic import make_run

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import benchmark  # noqa: E402
import gpu_check  # noqa: E402
from benchmarks import iteration, update  # noqa: E402
from rlkit.config.files import load_config  # noqa: E402
from rlkit.reproduction.collect import collect  # noqa: E402
from rlkit.reproduction.plan import Reproduction  # noqa: E402
from rlkit.reproduction.results import read_result  # noqa: E402
from rlkit.util.errors import RunError  # noqa: E402

CPU = torch.device("cpu")
TAKES_DEVICE = re.compile(r"^def \w+\((.*, )?(device|gpu)[,)]", re.MULTILINE)


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
def config(tmp_path, monkeypatch):
    """A small one, and its file; torch's settings and the modes that take a minute come back, or stay away."""
    monkeypatch.setattr(update, "MODES", {"eager": "off", "graph": "auto"})
    path = tmp_path / "tiny.json"
    algo = {"meta_batch": 2, "batch_size": 8, "max_path_length": 5, "num_steps_per_eval": 15}
    sizes = {"net_size": 8, "encoder_size": 8, "n_train_tasks": 4, "n_eval_tasks": 2, "env_params": {"n_tasks": 6}}
    path.write_text(json.dumps({"env_name": "point-robot", **sizes, "algo_params": algo}))
    before = torch.get_float32_matmul_precision()
    yield path
    torch.set_float32_matmul_precision(before)


def compare(monkeypatch, path, *, graph, eager):
    """The cases of the graph part, with such times of a step."""
    monkeypatch.setattr(update, "interleave", lambda *_, **__: pd.DataFrame({"graph": [graph], "eager": [eager]}))
    return list(update.compare_graph({"tiny": load_config(path)}, CPU, 0.0))


def test_graph_and_no_graph_are_compared_by_weights_and_time(monkeypatch, config):
    (_, apart), (_, faster) = compare(monkeypatch, config, graph=1.0, eager=4.0)
    assert (apart.value, apart.limit) == (0.0, 1e-5)  # there are no graphs on the CPU
    assert (faster.value, faster.limit, faster.over_limit) == (1000.0, 4000.0, 0.25)


def test_a_graph_that_is_no_faster_fails(monkeypatch, config):
    with pytest.raises(RunError, match=r"tiny: a step as a graph takes 0\.99 of the time without"):
        compare(monkeypatch, config, graph=0.99, eager=1.0)


@pytest.mark.parametrize(("change", "told"), [(2e-5, "2.0e-05 apart"), (float("nan"), "nan apart")])
def test_weights_that_come_apart_fail(monkeypatch, config, change, told):
    build = update.build_phase

    def changed(*arguments, mode):
        phase = build(*arguments, mode=mode)
        if mode == "graph":
            run = phase.run
            phase.run = lambda *steps: run(*steps) or phase.trainer.agent.policy.last_fc.bias.data.add_(change)
        return phase

    monkeypatch.setattr(update, "build_phase", changed)
    with pytest.raises(RunError, match=told):
        compare(monkeypatch, config, graph=1.0, eager=4.0)


@pytest.fixture
def folder(tmp_path, monkeypatch, config):
    """What the parts leave, each by its own code on the CPU, and a run that is not finished."""
    monkeypatch.setattr(iteration, "SECONDS", 0.0)
    monkeypatch.setattr(update, "MOST_TIME", 1e9)  # there are no graphs on the CPU
    out = tmp_path / "out"
    out.mkdir()
    for section in gpu_check.FIGURES:
        words = [section, "--config", str(config), "--seconds", "0", "--json", str(out / f"{section}.json")]
        assert CliRunner().invoke(benchmark.main, words).exit_code == 0
    plan = gpu_check.plan_of(gpu_check.reproduction_of(out))
    make_run(plan.run.folder, [-90.0, -60.0], plan.config.model_dump(), state="interrupted")
    todo = [part("tests", ""), part("graph", "raise SystemExit('apart')")]
    gpu_check.run_parts(todo, out, 60.0, {"device": "Fast GPU", "torch": "2.7"})
    return out


def reproduction_in(folder, runs):
    """Results of their own, of this project's experiments."""
    (folder / "results").mkdir()
    shutil.copy(ROOT / "results/experiments.json", folder / "results")
    return Reproduction(runs, folder / "results", folder / "results.md")


def test_a_folder_of_figures_becomes_the_pages(folder, tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{gpu_check.BEGIN}\nold\n\n{gpu_check.END}after\n")
    reproduction = reproduction_in(tmp_path, folder / "runs")
    (reproduction.results / "notes.md").write_text("about\n")
    for _ in range(2):  # again: the same
        gpu_check.to_docs(folder, page, reproduction)
        text = page.read_text()
        assert text.startswith(
            f"before\n{gpu_check.BEGIN}\ndevice Fast GPU, torch 2.7.\n\ntests: done; graph: failed.\n"
        )
        assert text.endswith(f" |\n\n{gpu_check.END}after\n")
        assert "cheetah-vel returned -60.0 on unseen tasks" in text
        rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")][2:]
        assert rows[:2] == ["graph: tiny, 50 steps as a graph and without", "graph: tiny, a step as a graph"]
        modes = [f"gpu: tiny, {p}, {m}" for m in ("eager", "graph") for p in ("float32", "tf32", "bf16")]
        phases = [f"iteration: tiny, {phase}" for phase in ("collect", "train", "evaluate", "whole iteration")]
        assert rows[2:] == [*modes, *phases, "memory: tiny"]
    assert "no finished run yet" in reproduction.page.read_text()


def test_a_finished_run_becomes_a_result(tmp_path):
    """It is the one that scripts/reproduce.py plans."""
    reproduction = reproduction_in(tmp_path, tmp_path / "runs")
    plan = gpu_check.plan_of(reproduction)
    config = plan.config.model_dump()
    config["algo_params"]["num_iterations"] = plan.run.num_iterations
    make_run(plan.run.folder, [-40.0] * plan.run.num_iterations, config)
    (plan.run.folder / "versions.json").write_text(json.dumps({"device": "cuda:0", "platform": "elsewhere"}))
    for name in ("context_encoder", "policy"):
        torch.save({}, plan.run.folder / f"{name}.pth")
    (plan.run.folder / "tasks.json").write_text("{}")
    assert collect(plan, reproduction.results)
    assert read_result(plan).iterations == plan.run.num_iterations
    words = gpu_check.parts(tmp_path)[-1].command
    assert words[1:3] == ("--resume", str(plan.run.folder))


def test_a_folder_of_something_else_is_refused(tmp_path):
    result = CliRunner().invoke(gpu_check.main, ["--to-docs", str(tmp_path)])
    assert result.exit_code == 2
    assert "has no results.json" in result.stderr


BARE_MACHINE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("hypothesis", "scipy", "playwright", "dash", "plotly", "jinja2", "nbclient",
                                      "ipykernel", "imageio_ffmpeg", "xdist", "psutil", "yaml"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, "scripts")
import pathlib, torch
torch.cuda.is_available = lambda: True
import gpu_check, pytest
tests, = (part for part in gpu_check.parts(pathlib.Path("out")) if part.name == "tests")
sys.exit(pytest.main([*tests.command[2:], "--collect-only", "-p", "no:xdist"]))
"""


def test_the_tests_part_takes_every_test_that_takes_a_device():
    """On a machine that has a GPU and nothing but the wheels that docs/performance.md lists."""
    command, bare = [sys.executable, "-c", BARE_MACHINE], {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    chosen = {path for path in ROOT.glob("tests/**/test_*.py") if f"<Module {path.name}>" in result.stdout}
    takers = {path for path in ROOT.glob("tests/**/test_*.py") if TAKES_DEVICE.search(path.read_text())}
    assert chosen == takers
    for name in ("test_two_steps[cuda-update_default]", "test_a_debug_run_leaves_its_files[cuda-humanoid-dir]"):
        assert f"<Function {name}>" in result.stdout


def test_every_part_names_a_command_that_is_there(tmp_path):
    for each in gpu_check.parts(tmp_path):
        if each.command[0] != "-m":
            assert (ROOT / each.command[0]).is_file()
