"""Studies on a real Ray of this machine: trials as run folders, what is lost, what goes wrong."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlkit.runs.folder import RunFolder

pytest.importorskip("ray")

ROOT = Path(__file__).parents[2]
KL = "algo_params.kl_lambda"
pytestmark = pytest.mark.slow


def table(project, name="study"):
    with (project.study_folder(name) / "study.csv").open() as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def rows(folder):
    with (folder / "progress.csv").open() as file:
        return [{name: value for name, value in row.items() if "(s)" not in name} for row in csv.DictReader(file)]


def wait_for(condition, seconds=300):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_study_runs_stops_early_names_what_crashed_and_is_whole(project):
    """One start of Ray for what a whole study is: ASHA, a crashing run, the table, an exit code, nothing repeated."""
    project.change(num_iterations=12, num_initial_steps=1000)
    space = {KL: {"grid": [0.1, 0.2]}, "path_to_weights": {"grid": [None, "nowhere"]}}
    study = project.write(space=space, stop={"asha": {"grace_period": 2, "reduction_factor": 2}}, seeds=2)
    done = subprocess.run(project.words(study), capture_output=True, text=True, timeout=570)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    found = table(project)
    assert {name for name, row in found.items() if row["state"] == "failed"} == {
        *("001-s0", "001-s1", "003-s0", "003-s1")
    }
    assert "001-s0 failed: error: path_to_weights" in done.stdout
    others = [found[name] for name in ("000-s0", "000-s1", "002-s0", "002-s1")]
    assert {row["state"] for row in others} <= {"finished", "stopped"}
    assert any(row["state"] == "finished" for row in others)
    assert any(row["state"] == "stopped" and int(row["iteration"]) < 12 for row in others)
    folder = project.study_folder() / "000-s0"
    variant = json.loads((folder / "variant.json").read_text())
    assert (variant["seed"], variant["algo_params"]["kl_lambda"]) == (0, 0.1)
    assert len(rows(folder)) == int(found["000-s0"]["iteration"])
    assert (project.study_folder() / "study.png").exists()


def test_a_killed_driver_and_an_interrupt_lose_nothing(project):
    """Killed, then interrupted, then to the end: the rows are those of a run that was left alone."""
    project.change(num_iterations=60, num_train_steps_per_itr=100)  # some 20 s
    study = project.write(space={KL: {"grid": [0.1]}})
    run = project.study_folder() / "000-s0"
    words = project.words(study, "--jobs", "2", "--cpus-per-run", "1")

    def iteration():
        return json.loads((run / "status.json").read_text())["iteration"] if (run / "status.json").exists() else 0

    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    wait_for(lambda: iteration() > 0)
    process.kill()
    process.wait()
    wait_for(lambda: not RunFolder(run).is_running)  # the launcher outlives the driver until Ray ends its worker
    before = iteration()
    process = subprocess.Popen([*words, "--resume"], stdout=subprocess.DEVNULL)
    wait_for(lambda: iteration() > before + 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=200) == 130
    assert table(project)["000-s0"]["state"] == "interrupted"
    assert before < iteration() < 60
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert table(project)["000-s0"]["state"] == "finished"
    alone = [
        sys.executable,
        str(ROOT / "launch_experiment.py"),
        str(run.parent / "base.json"),
        "--cpu",
        "--seed",
        "0",
    ]
    subprocess.run([*alone, "--name", "alone", "--set", f"{KL}=0.1"], check=True, timeout=200)
    assert len(rows(run)) == 60
    assert rows(run) == rows(run.parents[1] / "alone")
    again = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=100)
    assert again.returncode == 0
    assert "running" not in again.stdout  # nothing was repeated, nor Ray started


def test_a_machine_that_dies_costs_no_row(tmp_path, project):
    import torture_cluster

    with pytest.raises(SystemExit) as ended:
        torture_cluster.main(
            ["--kills", "1", "--seeds", "1", "--iterations", "10", "--folder", str(tmp_path / "torture")]
        )
    assert ended.value.code == 0


def test_runs_come_back_from_a_store(project):
    """Machines that share no folder: what one copied there, another finds."""
    study = project.write(space={KL: {"grid": [0.1]}})
    store = project.folder / "store"
    done = subprocess.run(
        project.words(study, "--storage", store.as_uri()), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    kept = store / "point-robot/study/000-s0"
    folder = project.study_folder() / "000-s0"
    assert rows(kept) == rows(folder)
    assert {path.name for path in (kept / "checkpoints").iterdir()} == {
        path.name for path in (folder / "checkpoints").iterdir()
    }


def test_more_gpus_than_there_are_and_a_foreign_address_are_one_line(project):
    study = project.write(space={KL: {"grid": [0.1]}})
    done = subprocess.run(project.words(study, "--gpus-per-run", "99"), capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: --gpus-per-run 99: the largest machine here has ")
    assert len(done.stderr.strip().splitlines()) == 1
