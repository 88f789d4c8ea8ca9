"""Studies on a real Ray of this machine: trials as run folders, what is lost, what goes wrong."""

import csv
import json
import os
import signal
import subprocess
import time

import pytest

pytest.importorskip("ray")

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
    """Killed, then interrupted, then to the end: the rows are those of runs that were left alone."""
    project.change(num_iterations=40, num_train_steps_per_itr=5)
    study = project.write(space={KL: {"grid": [0.1]}}, seeds=2)
    folder = project.study_folder()
    words = project.words(study, "--jobs", "2", "--cpus-per-run", "1")

    def iterations():
        found = []
        for name in ("000-s0", "000-s1"):
            path = folder / name / "status.json"
            found.append(json.loads(path.read_text())["iteration"] if path.exists() else 0)
        return found

    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    wait_for(lambda: min(iterations()) > 0)
    process.kill()
    process.wait()
    before = iterations()
    process = subprocess.Popen([*words, "--resume"], stdout=subprocess.DEVNULL)
    wait_for(lambda: any(now > then + 1 for now, then in zip(iterations(), before, strict=True)))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=200) == 130
    assert {row["state"] for row in table(project).values()} <= {"interrupted", "waiting", "finished"}
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert {row["state"] for row in table(project).values()} == {"finished"}
    alone = [words[0], os.path.join(os.path.dirname(words[1]), "../launch_experiment.py"), str(folder / "base.json")]
    for seed in ("0", "1"):
        change = ["--set", f"{KL}=0.1"]
        subprocess.run([*alone, "--cpu", "--seed", seed, "--name", f"alone{seed}", *change], check=True, timeout=200)
        assert rows(folder / f"000-s{seed}") == rows(folder.parent / f"alone{seed}")
        assert len(rows(folder / f"000-s{seed}")) == 40
    again = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=100)
    assert again.returncode == 0
    assert "running" not in again.stdout  # nothing was repeated, nor Ray started


def test_a_machine_that_dies_costs_no_row(tmp_path, project):
    import torture_cluster

    with pytest.raises(SystemExit) as ended:
        torture_cluster.main(["--kills", "1", "--iterations", "10", "--folder", str(tmp_path / "torture")])
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
