"""Files from strangers: whatever lies in a run's folder, plot and dashboard neither hang nor throw nor leave it."""

import json
import os
import threading
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from viz.synthetic import add_evaluation, make_config, make_run

from rlkit.runs.folder import RunFolder
from rlkit.util.text import printable
from rlkit.viz.dashboard.access import media_below
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.dashboard.tables import run_rows
from rlkit.viz.panels import task_parameter
from rlkit.viz.plotting import write_reports
from rlkit.viz.run_reader import find_runs


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "runs" / "one", [1.0, 2.0, 3.0])


def within_seconds(work):
    """What `work` returns; fails, without waiting for ever, where it hangs."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(20)
    assert found, "hangs or throws"
    return found[0]


def rows_of(folder):
    store = RunStore(folder)
    store.scan()
    return run_rows(store, store.runs(), "AverageReturn_all_test_tasks")


@pytest.mark.parametrize("name", ["progress.csv", "variant.json", "status.json", "tasks.json", "evaluation.npz"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "link outside", "link to itself"])
def test_only_regular_files_inside_the_folder_are_read(run, tmp_path, name, kind):
    secret = tmp_path / "secret"
    secret.write_text('{"env_name": "secret", "state": "secret", "tasks": [{"goal": 1}]}\nsecret\n')
    (run / name).unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(run / name)
    elif kind == "folder":
        (run / name).mkdir()
    else:
        (run / name).symlink_to(secret if kind == "link outside" else run / name)
    rows = within_seconds(lambda: rows_of(tmp_path / "runs"))
    assert len(rows) == 1
    assert "secret" not in json.dumps(rows)
    assert bool(rows[0]["problem"]) == (name in ("progress.csv", "variant.json"))
    assert "\n" not in rows[0]["problem"]
    assert within_seconds(lambda: RunFolder(run).tasks) == []
    assert len(within_seconds(lambda: RunFolder(run).unreadable_files())) == (
        name in ("tasks.json", "evaluation.npz")
    )


def test_a_link_within_the_folder_is_followed(run):
    (run / "progress.csv").rename(run / "rows.csv")
    (run / "progress.csv").symlink_to("rows.csv")
    assert rows_of(run.parent)[0]["last"] == 3.0


def huge_header():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def strings(path):
    np.savez(path, tasks=np.array(["a", "b"]), returns=np.array([["x"], ["y"]]))


def plain_npy(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def eight_terabytes(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tasks.npy", huge_header())
        archive.writestr("returns.npy", huge_header())


def flipped(path):
    np.savez_compressed(path, tasks=np.arange(500), returns=np.random.default_rng(0).normal(size=(500, 3)))
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)


def objects(path):
    np.savez(path, tasks=np.array([{}, {}]), returns=np.zeros((2, 1)))


@pytest.mark.parametrize("make", [strings, plain_npy, eight_terabytes, flipped, objects])
def test_an_evaluation_of_another_form_is_one_line(run, make):
    make(run / "evaluation.npz")
    assert RunFolder(run).evaluation() is None
    result = CliRunner().invoke(_report(run))
    assert result.exception is None
    assert sum("evaluation.npz" in line for line in result.stderr.splitlines()) == 1


def _report(run):
    import click

    return click.command()(lambda: write_reports(find_runs([run]), [run]))


def test_every_truncation_of_an_evaluation_is_read_or_left(run):
    add_evaluation(run, [{"velocity": 1.0}], [0])
    content = (run / "evaluation.npz").read_bytes()
    for size in range(0, len(content), max(1, len(content) // 40)):
        (run / "evaluation.npz").write_bytes(content[:size])
        assert RunFolder(run).evaluation() is None


def test_a_belief_of_strings_is_left_out(run):
    np.savez(run / "evaluation.npz", tasks=np.arange(2), returns=np.zeros((2, 1)), z_mean=np.array([["a"], ["b"]]))
    assert RunFolder(run).evaluation().z_mean is None


@pytest.mark.parametrize("text", ["7", '"x"', "[" * 100_000, '{"tasks": 3}', '{"tasks": [[1], 2]}', "\x00", "NaN"])
def test_tasks_of_another_form_are_no_tasks(run, text):
    (run / "tasks.json").write_text(text)
    assert RunFolder(run).tasks == []
    assert len(RunFolder(run).unreadable_files()) == 1


@pytest.mark.parametrize("value", [10**400, float("inf"), [[1], 2], {"a": 1}, "x", None, -5])
def test_a_task_may_hold_anything(value):
    parameter = task_parameter([{"goal": value}])
    assert parameter is None or np.isfinite(parameter.values).all()


@pytest.mark.parametrize("state", ["Infinity", "-5", "NaN", '"x"', "[]", "1" + "0" * 400])
def test_numbers_that_none_expects_end_in_a_row_that_json_can_say(run, state):
    (run / "status.json").write_text(f'{{"state": "finished", "iteration": {state}, "updated": {state}}}')
    config = json.dumps(make_config()).replace('"seed": 0', f'"seed": {state}')
    (run / "variant.json").write_text(config)
    json.dumps(rows_of(run.parent), allow_nan=False)


def test_names_that_are_not_utf8_are_spelled_out(tmp_path):
    run = make_run(tmp_path / os.fsdecode(b"bad\xff\nname"), [1.0, 2.0])
    (run / os.fsdecode(b"pic\xfe.png")).write_bytes(b"")
    row = rows_of(tmp_path)[0]
    row["name"].encode("utf-8")
    assert "\n" not in row["name"]
    ((name, url),) = media_below(run, tmp_path)
    (name + url).encode("utf-8")


def test_long_texts_are_cut_and_still_differ():
    one, other = printable("x" * 1_000_000), printable("x" * 999_999 + "y")
    assert len(one) < 120
    assert one != other


def test_an_env_name_of_a_megabyte_makes_short_names(run):
    (run / "variant.json").write_text(json.dumps(make_config(env_name="x" * 1_000_000)))
    assert len(rows_of(run.parent)[0]["env_name"]) < 120


def test_a_config_nested_too_deeply_is_one_line(run):
    (run / "variant.json").write_text('{"a":' * 5000 + "1" + "}" * 5000)
    assert "variant.json" in rows_of(run.parent)[0]["problem"]


def test_columns_and_keys_of_tasks_are_spelled_out_on_one_line(run):
    text = (run / "progress.csv").read_text()
    (run / "progress.csv").write_text(text.replace("QF Loss", "\x1b[31m" + "x" * 10_000, 1))
    columns = find_runs([run])[0]
    columns.refresh()
    assert all(name.isprintable() and len(name) < 1000 for name in columns.progress.columns)
    assert task_parameter([{"\udcff\n": 1.0}]).label.isprintable()
    assert task_parameter([{"\udcff\n": [1.0, 2.0]}]).label.isprintable()


def test_a_report_is_drawn_in_a_folder_whose_name_is_not_utf8(tmp_path):
    run = make_run(tmp_path / os.fsdecode(b"bad\xff"), [1.0, 2.0])
    add_evaluation(run, [{"\udcff": 1.0}], [0])
    result = CliRunner().invoke(_report(run))
    assert result.exception is None, result.exception
    assert (run / "plots/learning_curve.png").is_file()
