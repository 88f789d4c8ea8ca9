"""Carrying out work without Ray, and what is said before Ray is asked."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import error_line

KL = "algo_params.kl_lambda"


@pytest.mark.slow
def test_one_run_at_a_time_needs_no_ray(project):
    """Also with Optuna: nothing of Ray is imported."""
    study = project.write(space={KL: {"uniform": [0.1, 1]}}, samples=2, search="optuna")
    code = (
        "import sys; sys.modules['ray'] = None; sys.path.insert(0, 'scripts'); import sweep;"
        f"sweep.main([{str(study)!r}, '--jobs', '1'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "001-s0 finished 3/3" in done.stdout
    assert "study: best of 2 points" in done.stdout


def test_without_ray_several_at_a_time_are_refused_in_one_line(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "rlkit.sweep.on_ray", raising=False)
    monkeypatch.delitem(sys.modules, "rlkit.sweep.trial", raising=False)
    line = error_line(project(project.write(space={KL: {"grid": [0.1]}}), "--jobs", "2"))
    assert "pip install 'pearl-meta-rl[sweep]', or give --jobs 1" in line


def test_an_address_where_nothing_listens_is_one_line(project):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    study = project.write(space={KL: {"grid": [0.1]}})
    assert f"--address {address}: nothing listens there" in error_line(project(study, "--address", address))
    assert "should be HOST:PORT" in error_line(project(study, "--address", "head"))
    assert not (project.study_folder() / "000-s0").exists()


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("file:///proc/nowhere", "cannot be written"),
        ("nonsense", "--storage nonsense: "),
        ("x://y", "--storage x://y"),
    ],
)
def test_a_store_that_cannot_be_written_is_one_line(project, uri, part):
    assert part in error_line(project(project.write(space={KL: {"grid": [0.1]}}), "--storage", uri))


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(project):
    (project.folder / "output").mkdir(mode=0o500)
    assert "cannot write results to" in error_line(project(project.write(space={KL: {"grid": [0.1]}})))


def test_a_run_whose_parent_dies_is_told_to_save_itself(project, tmp_path):
    """The launcher of a worker that is killed must not train on beside the one that takes its place."""
    code = (
        "import subprocess, time; from rlkit.sweep.launch import _end_with_parent;"
        "child = subprocess.Popen(['sleep', '600'], preexec_fn=_end_with_parent, start_new_session=True);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("it runs on")
