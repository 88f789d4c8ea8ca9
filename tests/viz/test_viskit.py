"""Our folders are what viskit reads."""

import json

import pytest
from viz.synthetic import make_config, make_run
from viz.viskit_rules import viskit_problems


def test_our_folders_are_fine(tmp_path):
    assert viskit_problems(make_run(tmp_path, [1.0, 2.0])) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"env_name": "a", "util_params": {"seed": 1}}, "seed"),
        (make_config(odd=[1.0, float("inf")]), "odd"),
        (make_config(odd={"deep": [[-float("inf")]]}), "odd.deep"),
        (make_config(limit=-float("inf")), "limit"),
    ],
)
def test_what_it_stumbles_over_is_found(tmp_path, config, said):
    (problem,) = viskit_problems(make_run(tmp_path, [1.0], config))
    assert said in problem


def test_default_column_and_files(tmp_path):
    assert any("AverageReturn" in p for p in viskit_problems(make_run(tmp_path, [1.0], columns=["Epoch"])))
    (tmp_path / "variant.json").unlink()
    assert viskit_problems(tmp_path) == ["no variant.json"]


def test_one_infinity_alone_is_allowed(tmp_path):
    assert viskit_problems(make_run(tmp_path, [1.0], json.loads(json.dumps(make_config(limit=float("inf")))))) == []
