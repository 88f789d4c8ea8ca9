"""What docs/environments.md shows runs, and what it says of the families is so."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import envs
from envs import registry
from envs.catalogue import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "environments.md").read_text(encoding="utf-8")
MAX_IMAGE_BYTES = 100_000


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def _a_registry_of_its_own(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def my_envs(tmp_path, monkeypatch):
    """The page's example, as the file that it says."""
    (example,) = [block for block in blocks("python") if "class WindyField" in block]
    (tmp_path / "my_envs.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield example
    sys.modules.pop("my_envs", None)


def test_every_python_block_runs(capsys):
    names = {"__name__": "page"}
    for block in blocks("python"):
        exec(block, names)
    assert names["lanes"].num_envs == 4
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_example_is_short_and_learnable(my_envs, build):
    assert len(my_envs.splitlines()) <= 30
    (config,) = map(json.loads, blocks("json"))
    env = build(
        config["env_name"], 4, max_path_length=config["algo_params"]["max_path_length"], **config["env_params"]
    )
    assert len(env.tasks) == config["env_params"]["n_tasks"] == config["n_train_tasks"] + config["n_eval_tasks"]
    env.set_tasks([0, 1, 2, 3])
    winds = np.array([task["wind"] for task in env.tasks[:4]])
    returns = {}
    for policy in ("knows the wind", "does not"):
        observations, _ = env.reset(seed=0)
        returns[policy] = 0.0
        for _ in range(20):
            actions = -observations - (winds if policy == "knows the wind" else 0)
            observations, rewards, _, truncations, _ = env.step(actions)
            returns[policy] += rewards.sum()
        assert truncations.all()
    assert returns["knows the wind"] > returns["does not"]


@pytest.mark.parametrize("env_name", sorted(envs.FAMILIES))
def test_each_family_has_its_section_picture_and_line(env_name):
    assert f"\n### {env_name}\n" in PAGE
    image = DOCS / "images" / f"{env_name}.png"
    assert f"](images/{image.name})" in PAGE
    assert image.stat().st_size < MAX_IMAGE_BYTES
    family, entry = envs.FAMILIES[env_name], CATALOGUE[env_name]
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| [`{env_name}`]"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2] == f"{family.observation_dim}, {family.action_dim}"
    assert cells[3] == str(family.default_max_path_length)
    assert cells[4] == f"{entry.num_train_tasks}/{entry.num_eval_tasks}"
    assert cells[5] == entry.paper_name.replace("-", "", entry.paper_name == "-")
