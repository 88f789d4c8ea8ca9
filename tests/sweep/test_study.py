"""Study files: what they may say, and the points that they stand for."""

import json

import numpy as np
import pytest
from commands import error_line

from rlkit.config.files import load_config

KL, LR = "algo_params.kl_lambda", "algo_params.policy_lr"
GRID = {KL: {"grid": [0.1, 1.0]}}


@pytest.mark.parametrize(
    ("study", "part"),
    [
        ({}, "the key 'space' is missing"),
        ({"space": {}}, "space: "),
        ({"space": GRID, "seds": 3}, "unknown key 'seds'; the nearest known key is 'seeds'"),
        ({"space": GRID, "seeds": 0}, "seeds: should be greater than or equal to 1, got 0"),
        ({"space": GRID, "seeds": "3"}, "seeds: should be a number, not text"),
        ({"space": {KL: {"grid": []}}}, f"space.{KL}.grid: "),
        ({"space": {KL: {"grid": [1, 1]}}}, "grid: names a value twice"),
        ({"space": {KL: {}}}, "should have exactly one of grid, choice"),
        ({"space": {KL: {"grid": [1], "choice": [2]}}}, "should have exactly one of"),
        ({"space": {KL: {"gird": [1]}}}, f"unknown key 'space.{KL}.gird'; the nearest known key is 'grid'"),
        ({"space": {LR: {"uniform": [2, 1]}}, "samples": 2}, "the first number should be below the second"),
        ({"space": {LR: {"loguniform": [0, 1]}}, "samples": 2}, "a logarithmic scale begins above 0"),
        ({"space": {LR: {"uniform": [1, 2]}}}, "samples: is missing"),
        ({"space": GRID, "samples": 3}, "samples: there is nothing to draw"),
        ({"space": {**GRID, LR: {"uniform": [1, 2]}}, "samples": 1}, "at least the 2 combinations of the grids"),
        ({"space": {"algo_params.kl_lamda": {"grid": [1]}}}, f"the nearest known key is '{KL}'"),
        ({"space": {"seed": {"grid": [1]}}}, "'seed' is the study's own to set"),
        ({"space": GRID, "search": "grid"}, "search: should be 'random' or 'optuna'"),
        ({"space": GRID, "stop": {"asha": {"grace": 1}}}, "unknown key 'stop.asha.grace'"),
        ({"space": {KL: {"grid": [0.1, -1]}}}, f"{KL}: should be greater than or equal to 0"),
        ({"space": {"latent_size": {"grid": [1.5]}}}, "latent_size: should be a valid integer"),
        ({"space": GRID, "seeds": 100_000}, "are more than 100000 runs"),
        ({"base": "nowhere.json", "space": GRID}, "cannot read config nowhere.json"),
    ],
)
def test_wrong_studies_are_one_line_before_anything_starts(project, study, part):
    assert part in error_line(project(project.write(**study)))
    assert not (project.folder / "output").exists()


def test_a_file_that_is_no_study_is_one_line(project):
    path = project.folder / "study.json"
    for content, part in (("[1]", "a study is a JSON object"), ("{", "not valid JSON")):
        path.write_text(content)
        assert part in error_line(project(path))
    assert "cannot read study" in error_line(project(project.folder / "none.json"))


def points(project, **study):
    return [entry.point.settings for entry in project.session(**study).entries]


def test_a_grid_is_every_combination(project):
    space = {**GRID, "latent_size": {"grid": [1, 2, 3]}}
    assert points(project, space=space) == [{KL: kl, "latent_size": z} for kl in (0.1, 1.0) for z in (1, 2, 3)]


def test_samples_are_spread_over_the_grid_and_drawn_within_their_ends(project):
    space = {
        **GRID,
        LR: {"loguniform": [1e-4, 1e-2]},
        "latent_size": {"integer": [1, 3]},
        "net_size": {"loginteger": [1, 8]},
        "algo_params.critic": {"choice": ["v", "twin_q"]},
    }
    found = points(project, space=space, samples=400)
    assert [one[KL] for one in found[:4]] == [0.1, 1.0, 0.1, 1.0]
    rates = np.array([one[LR] for one in found])
    assert rates.min() >= 1e-4
    assert rates.max() <= 1e-2
    assert 0.4 < (rates < 1e-3).mean() < 0.6  # on a logarithmic scale half lies below the middle
    counts = [sum(one["latent_size"] == size for one in found) for size in (1, 2, 3)]
    assert min(counts) > 90  # the ends are as likely as what is between
    assert {one["net_size"] for one in found} == set(range(1, 9))
    assert {one["algo_params.critic"] for one in found} == {"v", "twin_q"}
    assert found == points(project, space=space, samples=400)
    assert found != points(project, space=space, samples=400, search_seed=1)


def test_the_base_is_seen_from_the_study_or_from_where_one_stands(project, monkeypatch, tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/s.json").write_text(json.dumps({"base": "tiny.json", "space": GRID}))
    monkeypatch.chdir(tmp_path)
    from rlkit.sweep.study import load_study

    assert load_study(tmp_path / "studies/s.json")[1].latent_size == load_config(tmp_path / "tiny.json").latent_size


def test_a_dry_run_lists_the_runs_and_starts_none(project):
    result = project(project.write(space=GRID, seeds=2), "--dry-run")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:3] == ["000-s0: kl_lambda=0.1", "000-s1: kl_lambda=0.1", "001-s0: kl_lambda=1"]
    assert lines[-1].startswith("4 runs, below ")
    assert not (project.folder / "output").exists()
    chosen = project(project.write(space=GRID, samples=5, search="optuna"), "--dry-run").output
    assert chosen.startswith("5 runs, 5 of them with settings that Optuna chooses")


def test_a_sample_that_a_rule_refuses_is_marked_and_the_others_stay(project):
    space = {"encoder_size": {"integer": [8, 12]}, "algo_params.encoder": {"grid": ["attention"]}}
    entries = project.session(space=space, samples=12).entries
    states = {entry.point.settings["encoder_size"] % 4 == 0: entry.state for entry in entries}
    assert states == {True: "waiting", False: "refused"}
    refused = next(entry for entry in entries if entry.state == "refused")
    assert "must be a multiple of 4" in refused.message
