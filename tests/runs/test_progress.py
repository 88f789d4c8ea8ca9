"""progress.csv is read as it grows, and nothing broken in it stops the reader."""

import os

import numpy as np
import pytest

from rlkit.runs.progress import ProgressFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "progress.csv"


def read(path):
    progress = ProgressFile(path)
    progress.refresh()
    return progress


def test_reads_numbers(path):
    path.write_text("a,b\n1,2.5\n-3e4,nan\n")
    progress = read(path)
    assert progress.columns == ["a", "b"]
    assert progress.num_rows == 2
    np.testing.assert_array_equal(progress.column("a"), [1.0, -3e4])
    np.testing.assert_array_equal(progress.column("b"), [2.5, np.nan])


def test_line_without_newline_is_still_being_written(path):
    path.write_text("a,b\n1,2\n3,41")
    progress = read(path)
    np.testing.assert_array_equal(progress.column("b"), [2])
    with path.open("a") as file:
        file.write("7\n5,6\n7,")
    assert progress.refresh()
    np.testing.assert_array_equal(progress.column("b"), [2, 417, 6])
    np.testing.assert_array_equal(progress.column("a"), [1, 3, 5])


def test_only_new_bytes_are_converted_again(path, monkeypatch):
    path.write_text("a,b\n" + "1,2\n" * 50)
    progress = read(path)
    progress.column("a")
    with path.open("a") as file:
        file.write("7,8\n")
    monkeypatch.setattr(ProgressFile, "_reread", lambda self: pytest.fail("read everything again"))
    assert progress.refresh()
    assert progress.column("a")[-1] == 7
    assert len(progress.column("a")) == 51


def test_unchanged_file_is_not_read(path, monkeypatch):
    path.write_text("a\n1\n")
    progress = read(path)
    monkeypatch.setattr(ProgressFile, "_read_new_rows", lambda self: pytest.fail("read again"))
    assert not progress.refresh()


def test_file_written_anew_is_read_anew(path):
    path.write_text("a,b\n1,2\n3,4\n")
    progress = read(path)
    progress.column("a")
    path.write_text("b,c\n9,8\n7,6\n5,4\n3,2\n")
    assert progress.refresh()
    assert progress.columns == ["b", "c"]
    np.testing.assert_array_equal(progress.column("b"), [9, 7, 5, 3])
    assert np.isnan(progress.column("a")).all()


def test_replaced_file_is_read_anew(path):
    path.write_text("a\n1\n2\n")
    progress = read(path)
    other = path.with_suffix(".new")
    other.write_text("a\n1\n2\n3\n")
    os.replace(other, path)
    assert progress.refresh()
    np.testing.assert_array_equal(progress.column("a"), [1, 2, 3])


def test_malformed_rows_are_left_out_in_every_column(path):
    path.write_text('a,b\n1,2\n3\n4,5,6\n\nx,7\n"8","9"\n')
    progress = read(path)
    np.testing.assert_array_equal(progress.column("a"), [1, np.nan, 8])
    np.testing.assert_array_equal(progress.column("b"), [2, 7, 9])
    assert progress.num_rows == 3


def test_windows_line_ends_and_byte_order_mark(path):
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n")
    progress = read(path)
    assert progress.columns == ["a", "b"]
    np.testing.assert_array_equal(progress.column("b"), [2, 4])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"a,b",
        b"\x00\xff\xfe\n\x00\x01",
        bytes(range(256)) * 4,
        b"a" * 100_000,
        b",,,\n1,2,3,4\n",
        b"a,b\n" + b'"' * 300_000 + b"\n",
    ],
)
def test_garbage_gives_no_rows_and_no_error(path, content):
    path.write_bytes(content)
    progress = read(path)
    for column in [*progress.columns, "missing"]:
        assert not np.isfinite(progress.column(column)).any() or content.startswith(b",,,")


def test_missing_then_there_then_gone(path):
    progress = read(path)
    assert "progress.csv" in progress.problem
    path.write_text("a\n1\n")
    assert progress.refresh()
    assert progress.problem == ""
    assert progress.column("a") == [1]
    path.unlink()
    assert progress.refresh()
    assert progress.num_rows == 0
    assert progress.problem
    assert not progress.refresh()


def test_folder_in_its_place_is_a_problem(path):
    path.mkdir()
    assert read(path).problem


def test_unknown_column_is_all_nan(path):
    path.write_text("a\n1\n2\n")
    progress = read(path)
    assert np.isnan(progress.column("zzz")).tolist() == [True, True]
    with path.open("a") as file:
        file.write("3\n")
    progress.refresh()
    assert len(progress.column("zzz")) == 3
