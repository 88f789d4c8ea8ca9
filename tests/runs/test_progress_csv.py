import csv

import pytest

from rlkit.runs.progress_csv import ProgressCsv
from rlkit.util.errors import RunError

RESULT = "AverageReturn_all_test_tasks"
ROWS = [
    {"Epoch": 0, RESULT: 1.5, "Test Return Trajectory 3": None},
    {"Epoch": 1},
    {"Epoch": 2, RESULT: 2.5, "Test success": 0.5, "Test Return Trajectory 3": 7.0},
    {"Epoch": 3, RESULT: 3.5, 'Test reward_"a", b': 0.25},
    {"Epoch": 4, RESULT: 4.5, "Test success": 1.0, "Alpha": 2.0},
]


def written(path, rows, num_bytes=0, num_rows=0):
    """The file's size after each of `rows`."""
    file = ProgressCsv(path, num_bytes, num_rows)
    sizes = []
    for row in rows:
        file.write(row)
        assert file.sync() == path.stat().st_size
        sizes.append(file.sync())
    file.close()
    return sizes


def test_columns_may_come_at_any_row(tmp_path):
    path = tmp_path / "progress.csv"
    written(path, ROWS)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Epoch"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["Test success"] for row in rows] == ["0.0", "", "0.5", "0.0", "1.0"]
    assert [row['Test reward_"a", b'] for row in rows] == ["0.0", "", "0.0", "0.25", "0.0"]
    assert [row["Test Return Trajectory 3"] for row in rows] == ["", "", "7.0", "", ""]
    assert [row["Alpha"] for row in rows] == ["", "", "", "", "2.0"]


@pytest.mark.parametrize("saved", range(1, 6))
@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_a_file_that_ran_ahead_goes_on_with_the_same_bytes(tmp_path, saved, ahead):
    whole, path = tmp_path / "whole.csv", tmp_path / "progress.csv"
    sizes = written(whole, ROWS)
    written(path, ROWS[: saved + ahead])
    assert written(path, ROWS[saved:], sizes[saved - 1], saved) == sizes[saved:]
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"Epoch\r\n0\r\n", b"\0\0\0\0", "\u00e4".encode("latin-1") * 200])
def test_rows_that_are_gone_are_missed(tmp_path, damage):
    path = tmp_path / "progress.csv"
    *_, size = written(path, ROWS[:3])
    path.write_bytes(damage)
    with pytest.raises(RunError, match=r"cannot go on with .*progress\.csv"):
        ProgressCsv(path, size, 3)
    assert path.read_bytes() == damage
