"""Run folders in an object store, with a folder as the store: what is copied when, and what is fetched."""

import json

import pytest

pytest.importorskip("pyarrow")


@pytest.fixture
def store(tmp_path):
    from rlkit.sweep.store import Store

    return Store((tmp_path / "store").as_uri())


def write_run(folder, iteration):
    """A run that keeps two checkpoints, and whose journal grows."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    for old in (folder / "checkpoints").iterdir():
        if int(old.stem) < iteration - 1:
            old.unlink()
    for suffix in (".npz", ".json"):
        (folder / f"checkpoints/{iteration:08}{suffix}").write_text(str(iteration))
    (folder / "experience.journal").write_text("x" * iteration)
    (folder / ".lock").touch()
    (folder / ".status.json.tmp").touch()
    (folder / "status.json").write_text(json.dumps({"state": "running", "iteration": iteration}))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_comes_back_as_it_was_kept(store, tmp_path):
    folder = tmp_path / "here/env/study/000-s0"
    for iteration in (1, 2, 3):
        write_run(folder, iteration)
        store.keep(folder)
    expected = [f"checkpoints/{number:08}.{kind}" for number in (2, 3) for kind in ("json", "npz")]
    expected += ["experience.journal", "status.json"]
    assert names(tmp_path / "store/env/study/000-s0") == expected
    other = tmp_path / "there/env/study/000-s0"
    store.fetch(other)
    assert names(other) == expected
    assert (other / "experience.journal").read_text() == "xxx"


def test_what_is_further_is_left_alone(store, tmp_path):
    folder = tmp_path / "here/env/study/000-s0"
    store.fetch(folder)  # nothing there yet
    assert not folder.exists()
    write_run(folder, 2)
    store.keep(folder)
    write_run(folder, 3)
    store.fetch(folder)
    assert (folder / "experience.journal").read_text() == "xxx"
    write_run(folder, 1)
    store.fetch(folder)
    assert (folder / "experience.journal").read_text() == "xx"


def test_checkpoints_go_first_and_the_status_last(store, tmp_path, monkeypatch):
    """So that there is a checkpoint whose files are whole, whenever the machine dies."""
    folder = tmp_path / "here/env/study/000-s0"
    write_run(folder, 1)
    copied = []
    monkeypatch.setattr(store, "_copy", lambda path, target: copied.append(path.name))
    store.keep(folder)
    assert copied[-1] == "status.json"
    assert copied.index("experience.journal") > max(map(copied.index, ("00000001.npz", "00000001.json")))
    copied.clear()
    store.keep(folder)
    assert copied == []  # nothing is new
