"""Experiments are found below any folder and read whatever state their files are in."""

import json
import time

import pytest
from viz.synthetic import make_config, make_run

from rlkit.util.errors import UserError
from rlkit.viz.grouping import differing_keys, group_runs, resolve_key
from rlkit.viz.run_reader import SILENT_AFTER_S, RunReader, find_runs, flatten


def loaded(folder):
    run = RunReader(folder)
    run.refresh()
    return run


def runs(tmp_path, **configs):
    return [loaded(make_run(tmp_path / name, [1.0, 2.0], config)) for name, config in configs.items()]


def test_finds_folders_files_and_each_only_once(tmp_path):
    make_run(tmp_path / "a" / "x", [1])
    make_run(tmp_path / "b c" / "ü;'$&<y>", [1])
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    make_run(tmp_path / ".hidden" / "z", [1])
    found = find_runs([tmp_path, tmp_path / "a" / "x", tmp_path / "a" / "x" / "progress.csv"])
    assert [run.name for run in found] == ["a/x", "b c/ü;'$&<y>"]


def test_links_are_not_followed(tmp_path):
    make_run(tmp_path / "outside", [1])
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "circle").symlink_to(tmp_path / "root")
    assert find_runs([tmp_path / "root"]) == []


def test_wrong_paths_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such"):
        find_runs([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"notes\.txt: not an experiment"):
        find_runs([tmp_path / "notes.txt"])


def test_config_is_flattened_with_dots():
    flat = flatten({"a": {"b": {"c": 1}, "d": None}, "e": [1, 2], "f": True})
    assert flat == {"a.b.c": 1, "a.d": None, "e": "[1, 2]", "f": True}


@pytest.mark.parametrize(
    "variant", [None, "", "{", "[]", '{"env_name": ', "\ud83d".encode("utf-16", "surrogatepass")]
)
def test_missing_or_broken_variant(tmp_path, variant):
    folder = make_run(tmp_path / "cheetah-dir" / "run", [1.0])
    (folder / "variant.json").unlink()
    if variant is not None:
        data = variant if isinstance(variant, bytes) else variant.encode()
        (folder / "variant.json").write_bytes(data)
    run = loaded(folder)
    assert run.config == {}
    assert run.env_name == "cheetah-dir"
    assert any("variant.json" in problem for problem in run.problems)
    assert run.progress.column("AverageReturn") == [1.0]


def test_status(tmp_path):
    folder = make_run(tmp_path, [1, 2, 3], state="running")
    run = loaded(folder)
    assert (run.status.state, run.status.iteration) == ("running", 3)
    now = time.time()
    (folder / "status.json").write_text(json.dumps({"state": "finished", "iteration": 9, "updated": now}))
    assert run.refresh()
    assert (run.status.state, run.status.iteration, run.status.updated) == ("finished", 9, now)
    assert not run.refresh()


@pytest.mark.parametrize("text", ["{", '{"state": ["x"], "updated": "soon", "iteration": true}', '{"state": "odd"}'])
def test_broken_status_falls_back_to_the_rows(tmp_path, text):
    folder = make_run(tmp_path, [1, 2, 3])
    (folder / "status.json").write_text(text)
    status = loaded(folder).status
    assert (status.state, status.iteration) == ("unknown", 3)
    assert status.updated > 0


def test_kept_results_are_as_far_as_their_rows(tmp_path):
    """They have no status.json, nor need one."""
    folder = make_run(tmp_path / "kept", [1.0, 2.0, 3.0])
    (folder / "status.json").unlink()
    (folder / "machine.json").write_text("[]")
    kept = RunReader(folder)
    kept.refresh()
    assert (kept.status.state, kept.status.iteration) == ("kept", 3)


def test_a_run_without_news_is_silent(tmp_path):
    folder = make_run(tmp_path, [1], state="running", updated=time.time() - SILENT_AFTER_S - 5)
    assert loaded(folder).status.state == "silent"


def test_deleted_folder_is_reported_not_raised(tmp_path):
    folder = make_run(tmp_path / "run", [1])
    run = loaded(folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert run.refresh()
    assert run.problems


def test_what_differs_ignores_seeds_and_machines(tmp_path):
    members = runs(
        tmp_path,
        a=make_config(seed=0, kl_lambda=0.1),
        b=make_config(seed=1, kl_lambda=0.1),
        c=make_config(seed=0, kl_lambda=1),
    )
    assert differing_keys(members) == ["algo_params.kl_lambda"]
    groups = group_runs(members, differing_keys(members))
    assert [(group.label, len(group.members)) for group in groups] == [("kl_lambda=0.1", 2), ("kl_lambda=1", 1)]


def test_precision_is_a_difference_where_other_machine_settings_are_none(tmp_path):
    members = runs(
        tmp_path,
        a=make_config(util_params={"precision": "float32", "num_threads": 1}),
        b=make_config(util_params={"precision": "bf16", "num_threads": 2}),
    )
    assert differing_keys(members) == ["util_params.precision"]


def test_groups_sort_numbers_as_numbers_and_equal_numbers_agree(tmp_path):
    members = runs(tmp_path, **{f"r{i}": make_config(kl_lambda=k) for i, k in enumerate([10, 2, 2.0, None])})
    labels = [group.label for group in group_runs(members, ["algo_params.kl_lambda"])]
    assert labels == ["kl_lambda=2", "kl_lambda=10", "kl_lambda=none"]


def test_a_key_that_old_runs_lack_is_no_difference(tmp_path):
    members = runs(tmp_path, old=make_config(), new=make_config(brand_new=3))
    assert differing_keys(members) == []


def test_runs_without_config_stand_alone(tmp_path):
    members = runs(tmp_path, a=make_config(), b=make_config(kl_lambda=5))
    (tmp_path / "b" / "variant.json").unlink()
    members[1].refresh()
    labels = [group.label for group in group_runs(members, ["algo_params.kl_lambda"])]
    assert labels == ["kl_lambda=0.1", "b (no variant.json)"]


def test_short_keys(tmp_path):
    members = runs(tmp_path, a=make_config(kl_lambda=1, other={"kl_lambda": 2}))
    assert resolve_key("meta_batch", members) == "algo_params.meta_batch"
    with pytest.raises(UserError, match="ambiguous"):
        resolve_key("kl_lambda", members)
    with pytest.raises(UserError, match=r"nearest are 'algo_params\.meta_batch'"):
        resolve_key("meta_bach", members)


def test_the_runs_of_a_study_can_be_told_from_others(tmp_path):
    """The study's name is among what runs are filtered and grouped by, and makes no difference between equal runs."""
    from rlkit.viz.dashboard.selection import filter_choices, matching
    from rlkit.viz.grouping import differing_keys, group_runs

    for name in ("one/000-s0", "one/001-s0", "two/000-s0", "alone"):
        make_run(tmp_path / "cheetah-vel" / name, [1.0], make_config())
    for name in ("one", "two"):
        (tmp_path / "cheetah-vel" / name / "study.json").write_text("{}")
    runs = find_runs([tmp_path])
    for run in runs:
        run.refresh()
    assert {"study=one", "study=two"} <= set(filter_choices(runs))
    assert [run.name for run in matching(runs, ["study=two"], "")] == ["cheetah-vel/two/000-s0"]
    assert differing_keys(runs) == []
    assert [(group.label, len(group.members)) for group in group_runs(runs, ["study"])] == [
        ("study=none", 1),
        ("study=one", 2),
        ("study=two", 1),
    ]
