"""scripts/plot.py as a user calls it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from viz.synthetic import make_config, make_run

SCRIPT = Path(__file__).parents[2] / "scripts" / "plot.py"


def plot(*arguments, cwd):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    root = tmp_path_factory.mktemp("output")
    for seed in range(2):
        make_run(root / "cheetah-vel" / f"s{seed}", np.arange(6.0), make_config(seed=seed))
    broken = make_run(root / "cheetah-vel" / "half", np.arange(4.0), make_config(seed=9))
    (broken / "variant.json").unlink()
    with (broken / "progress.csv").open("a") as file:
        file.write("1,2,3")
    (root / "cheetah-vel" / "fresh").mkdir()
    (root / "cheetah-vel" / "fresh" / "variant.json").write_text("{")
    return root


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("plot_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_draws_a_folder(output, tmp_path):
    done = plot(output, "--reference", "--seeds", "--smooth", 3, "--csv", "n.csv", "-o", "a.pdf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["a.pdf", "n.csv"]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "n.csv").read_text().startswith("panel,y,group")
    assert "fresh" in done.stderr
    assert "Traceback" not in done.stderr


def test_draws_by_trajectory_and_own_levels(output, tmp_path):
    done = plot(output, "--by-trajectory", "--level", "a=b=-3", "--csv", "n.csv", "-o", "a.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1 + 3  # trajectories


def test_report(output, tmp_path):
    done = plot(output / "cheetah-vel" / "s0", "--report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(Path(line).is_file() for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "PATH"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["{output}", "--y", "Return"], "--y: no column 'Return'"),
        (["{output}", "--group", "kl_lamda"], "'algo_params.kl_lambda'"),
        (["{output}", "-o", "a.gif"], ".png, .pdf, .svg"),
        (["{output}", "--smooth", "0"], "--smooth"),
        (["{output}", "--level", "target"], "--level target: should be a name and a return, as in target=-9"),
        (["{output}", "--level", "=3"], "--level =3"),
        (["{output}", "--level", "a=nan"], "--level a=nan"),
        (["{output}", "--wrong"], "--wrong"),
        (["."], "no experiment"),
        (["{output}", "-o", "/proc/nowhere/a.png"], "/proc/nowhere"),
    ],
)
def test_wrong_input_is_one_line(output, tmp_path, monkeypatch, capsys, script, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plot.py", *(argument.format(output=output) for argument in arguments)])
    with pytest.raises(SystemExit) as end:
        script.run_command(script.main)
    assert end.value.code == 2
    said_lines = capsys.readouterr().err.splitlines()
    errors = [line for line in said_lines if not line.startswith("note: ")]
    assert len(errors) == 1, said_lines
    assert errors[0].startswith("error: ")
    assert said in errors[0]
