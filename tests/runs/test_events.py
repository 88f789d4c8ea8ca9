"""Tensorboard's failures are said once and end nothing."""

import threading

import numpy as np
import pytest

from rlkit.runs.events import EventWriter


@pytest.fixture
def broken(tmp_path):
    """A writer whose thread meets a full disk, and what it said."""
    said = []
    writer = EventWriter(tmp_path, None, said.append)
    files = writer._writer._get_file_writer().event_writer
    record = files._async_writer._writer

    def full(*arguments):
        raise OSError(28, "No space left on device")

    record.write = record.flush = full
    return writer, said


def test_a_full_disk_is_said_once_and_prints_nothing(broken, capsys):
    writer, said = broken
    for step in range(3):
        writer.scalar("loss", 1.0, step)
        writer.flush()
    writer.picture("a", np.zeros((2, 2, 3), dtype=np.uint8), 1)
    writer.hyperparameters({"a": 1}, {"b": 2.0})
    writer.close()
    assert len(said) == 1
    assert "No space left" in said[0]
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    said = []
    (tmp_path / "file").touch()
    writer = EventWriter(tmp_path / "file", None, said.append)
    writer.scalar("loss", 1.0, 0)
    writer.close()
    assert len(said) == 1


def test_other_threads_errors_are_still_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    before = threading.excepthook
    writer = EventWriter(tmp_path, None)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    writer.close()
    assert [failure.exc_type for failure in told] == [ZeroDivisionError]
    assert threading.excepthook == before
