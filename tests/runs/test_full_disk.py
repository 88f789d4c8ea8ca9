"""A disk that takes no more, at any moment: one line that names a file, and the run can be gone on with."""

import os
import resource
import subprocess
from contextlib import contextmanager

import pytest
from runs.short import LONGER, resume, rows, start


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return rows(start(tmp_path_factory.mktemp("runs"), "whole")[1])


@pytest.mark.parametrize("size", [0, 300, 2_000, 6_000, 10_000, 20_000])
def test_no_room_is_one_line_that_names_the_file(tmp_path, whole, size):
    """Files beyond a size are refused by the system, as on a full disk, in an error that names none."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        result, folder = start(tmp_path, "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 1
    *before, last = result.output.splitlines()
    assert str(folder) in last
    assert all(line.startswith(("point-robot, seed", "iteration ")) for line in before)
    result = resume(folder) if (folder / "variant.json").exists() else start(tmp_path, "run")[0]
    assert result.exit_code == 0, result.output
    assert rows(folder) == whole


@contextmanager
def read_only(folder):
    """No file of a folder can be written, not by root either."""
    if os.geteuid() == 0:
        mounts = [["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder]]
        if any(subprocess.run(words, capture_output=True, check=False).returncode for words in mounts):
            pytest.skip("no mounts here")
    else:
        folder.chmod(0o555)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", folder], check=True)
        else:
            folder.chmod(0o755)


def test_a_read_only_folder_is_one_line_and_tensorboard_adds_none(tmp_path):
    folder = start(tmp_path, "run")[1]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with read_only(folder):
        result = resume(folder, *LONGER)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert str(folder) in result.output
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_tensorboard_cannot_write_is_said_in_the_log_alone(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", refuse)
    result, folder = start(tmp_path, "run")
    assert result.exit_code == 0
    assert "not written" not in result.output
    assert (folder / "debug.log").read_text().count("tensorboard is not written") == 1
