"""What results/ holds and what docs/results.md says of it agree."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rlkit.config.files import flat

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "results", ROOT / "docs" / "results.md"
AGENTS = sorted(path.parent for path in RESULTS.glob("weights/*/policy.pth"))


@pytest.fixture
def reproduction(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from rlkit.reproduction.plan import Reproduction

    return Reproduction(ROOT / "output", RESULTS, PAGE)


@pytest.fixture
def results(reproduction):
    from rlkit.reproduction.results import read_all

    return read_all(reproduction)


def test_the_page_is_what_the_results_make_it(results, reproduction):
    from rlkit.reproduction.page import render

    assert PAGE.read_text() == render(results, reproduction)


def test_every_figure_is_there_and_has_its_two_sentences(results, reproduction):
    from rlkit.reproduction.figures import figure_names
    from rlkit.reproduction.page import read_notes

    notes = read_notes(RESULTS / "notes.md", results)
    shown = {
        name
        for arms in results.values()
        if any(arm.runs for arm in arms)
        for name in figure_names(arms[0].experiment)
    }
    shown.add("domains")
    assert shown == set(re.findall(r"\(\.\./results/figures/(.+)\.png\)", PAGE.read_text()))
    assert shown == {path.stem for path in RESULTS.glob("figures/*.png")}
    for name in shown:
        assert (RESULTS / f"figures/{name}.png").stat().st_size < 300_000, name
        assert len(re.findall(r"[.!?](?:\s|$)", notes.get(name, ""))) >= 2, f"results/notes.md: ## {name}"


def test_nothing_is_left_of_other_configs_or_experiments(results):
    used = {run.folder for arms in results.values() for arm in arms for run in arm.runs}
    present = {path.parent for path in RESULTS.glob("*/*/variant.json") if path.parents[1].name != "weights"}
    assert present == used


def test_files_are_small():
    for path in RESULTS.rglob("*"):
        assert path.is_dir() or path.stat().st_size < 1_000_000, path
    for path in RESULTS.rglob("progress.csv"):
        assert path.stat().st_size <= 300_000, path


def test_missed_targets_are_explained(results, reproduction):
    from rlkit.reproduction.page import DIFFERENCES, read_notes

    explained = read_notes(RESULTS / "notes.md", results).get(DIFFERENCES, "")
    for name, (first, *_) in results.items():
        target = first.experiment.target
        if first.runs and target is not None and first.test_return.center < target:
            assert name in explained, f"{name} misses its target, and results/notes.md does not say why"


@pytest.mark.parametrize("folder", AGENTS, ids=lambda folder: folder.name)
def test_kept_agents_load(monkeypatch, tmp_path, folder):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import sim_policy

    task = str(json.loads((folder / "tasks.json").read_text())["eval_tasks"][0])
    result = CliRunner().invoke(sim_policy.main, [str(folder), "--task", task, "-o", str(tmp_path / "sim.json")])
    assert result.exit_code == 0, result.output


def test_arms_that_share_runs_share_their_config_and_length(reproduction):
    for experiment in reproduction.experiments:
        for arm in experiment.arms:
            if arm.runs_of:
                own = arm.load(experiment.settings, 0)
                shared = reproduction.plan(experiment, arm, 0)
                assert flat(own.model_dump()) == flat(shared.config.model_dump()), (experiment.name, arm.label)


def test_the_table_of_experiments_is_sound(reproduction):
    names = [experiment.name for experiment in reproduction.experiments]
    assert len(set(names)) == len(names)
    assert not {"figures", "weights"} & set(names)
    for experiment in reproduction.experiments:
        labels = [arm.label for arm in experiment.arms]
        assert len(set(labels)) == len(labels)
        assert set(experiment.order) <= set(labels)
        assert experiment.target is None or experiment.anchor
        for arm in experiment.arms:
            assert reproduction.plan(experiment, arm, 0).run.num_iterations > 1


def test_lengths_are_those_that_issue_and_reference_name(reproduction):
    iterations = {
        experiment.name: reproduction.plan(experiment, experiment.arms[0], 0).run.num_iterations
        for experiment in reproduction.experiments
    }
    expected = {"quickstart": 30, "point-robot": 20, "cheetah-dir": 50, "cheetah-vel": 110, "ant-dir": 400}
    assert {name: iterations[name] for name in expected} == expected


def test_every_domain_has_a_row_finished_or_not():
    table = PAGE.read_text().split("| domain | target |")[1].split("\n\n")[0]
    rows = {line.split("|")[1].split()[0]: line for line in table.splitlines()[2:]}
    configs = {path.stem for path in (ROOT / "configs").glob("*.json") if "-small" not in path.stem}
    assert set(rows) == configs - {"debug", "quickstart", "point-robot", "metaworld-ml1-reach"}
    assert all("**" in line or "no finished run" in line for line in rows.values())
