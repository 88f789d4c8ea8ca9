"""scripts/run_ablation.py as a user calls it, and the arms that it finds."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import tiny_config

from rlkit.config.files import flat, load_config
from rlkit.config.settings import AlgoParams

ROOT = Path(__file__).parent.parent
ARMS = sorted((ROOT / "configs/ablations").glob("*.json"))
SWITCHES = {
    "recurrent": {"encoder", "context_sampling"},
    "context": {"context_source"},
    "deterministic": {"use_information_bottleneck"},
    "recurrent-small": {"encoder", "context_sampling"},
    "context-small": {"context_source"},
    "deterministic-small": {"use_information_bottleneck"},
    "cheetah-dir-context": {"context_sampling", "embedding_batch_size", "embedding_mini_batch_size"},
    "point-robot-context": {"context_sampling", "embedding_batch_size", "embedding_mini_batch_size"},
    "ant-goal-context": {"context_sampling", "embedding_batch_size", "embedding_mini_batch_size"},
    "attention": {"encoder"},
    "critic": {"critic", "auto_alpha"},
    "kl": {"kl_reduction"},
    "evaluation": {"num_trajs_per_eval"},
}
TINY = tiny_config()


@pytest.fixture
def run_ablation(monkeypatch, tmp_path):
    """The script over two tiny arms, `tiny.one` and `tiny.two`; results go below tmp_path/output."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import run_ablation

    configs = tmp_path / "ablations"
    configs.mkdir()
    for arm, latent_size in (("one", 1), ("two", 2)):
        (configs / f"tiny.{arm}.json").write_text(json.dumps({**TINY, "latent_size": latent_size}))
    monkeypatch.setattr(run_ablation, "CONFIGS", configs)
    output = f"util_params.base_log_dir={json.dumps(str(tmp_path / 'output'))}"

    def run(*arguments):
        return CliRunner().invoke(run_ablation.main, [*arguments, "--cpu", "--set", output])

    return run


def test_every_ablation_has_its_arms_and_they_differ_in_its_switch_alone():
    assert {path.name.partition(".")[0] for path in ARMS} == SWITCHES.keys()
    for name, switch in SWITCHES.items():
        arms = [flat(load_config(path).model_dump()) for path in ARMS if path.name.startswith(f"{name}.")]
        assert len(arms) >= 2
        differing = {key for key in arms[0] if len({str(arm[key]) for arm in arms}) > 1}
        assert differing == {f"algo_params.{key}" for key in switch}, name


def test_seeds_come_one_after_the_other_each_with_all_arms(run_ablation, tmp_path):
    import run_ablation as script

    runs = script.plan("tiny", 2, (f"util_params.base_log_dir={tmp_path}",))
    assert [run.name for run in runs] == ["tiny.one-s0", "tiny.two-s0", "tiny.one-s1", "tiny.two-s1"]
    assert [run.seed for run in runs] == [0, 0, 1, 1]
    assert runs[0].folder == tmp_path / "point-robot/tiny.one-s0"


def test_runs_at_a_time_share_the_cpu(run_ablation, monkeypatch):
    from envs import cpus
    from rlkit.launchers import runs

    monkeypatch.setattr(cpus, "usable_cpus", lambda: 8)
    assert runs.thread_settings(1) == []
    assert [runs.share_of_cpus(jobs) for jobs in (1, 3, 8, 16)] == [8, 2, 1, 0.5]
    assert runs.thread_settings(3) == ["util_params.num_threads=2"]
    assert runs.thread_settings(20) == ["util_params.num_threads=1"]


@pytest.mark.slow
def test_all_arms_run_and_are_not_run_twice(run_ablation, tmp_path):
    result = run_ablation("tiny", "--seeds", "1", "--jobs", "2", "--set", "util_params.plots=false")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "output/point-robot"
    names = ["tiny.one-s0", "tiny.two-s0"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for name in names:
        variant = json.loads((folder / name / "variant.json").read_text())
        assert (variant["latent_size"], variant["seed"]) == (1 if ".one-" in name else 2, 0)
        assert variant["util_params"]["num_threads"] >= 1  # two at a time: each its share
        assert json.loads((folder / name / "status.json").read_text())["state"] == "finished"
    last = result.output.splitlines()[-1]
    assert last.startswith("one figure of all: scripts/plot.py ")
    assert [Path(word).name for word in last.split()[5:]] == names

    again = run_ablation("tiny", "--seeds", "1")
    assert again.exit_code == 0
    assert again.output.count("finished already") == 2


@pytest.mark.slow
def test_a_failing_run_is_named_and_the_others_go_on(run_ablation, tmp_path):
    (tmp_path / "ablations/tiny.one.json").write_text(json.dumps({**TINY, "path_to_weights": "nowhere"}))
    result = run_ablation("tiny", "--seeds", "1", "--jobs", "2", "--set", "util_params.plots=false")
    assert result.exit_code == 1
    assert "tiny.one-s0: error: path_to_weights" in result.output
    assert "tiny.two-s0: finished" in result.output


def test_an_unknown_name_lists_the_choices(run_ablation):
    result = run_ablation("timy")
    assert result.exit_code == 2
    assert result.output.strip() == "error: unknown ablation 'timy'; choose one of tiny"


def test_a_wrong_setting_is_said_before_anything_starts(run_ablation, tmp_path):
    result = run_ablation("tiny", "--set", "algo_params.meta_bach=3")
    assert result.exit_code == 2
    assert "'algo_params.meta_batch'" in result.output
    assert not (tmp_path / "output").exists()


def test_the_page_tells_defaults_and_arms():
    about_settings, about_arms, *_ = (ROOT / "docs/ablations.md").read_text().split("\n## ")

    def rows(text):
        cells = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| `")]
        return {name.strip("`"): value.replace("`", "") for name, value, *_ in cells}

    algo = AlgoParams().model_dump()
    defaults = rows(about_settings)
    assert defaults == {name: json.dumps(algo[name]) for name in defaults}
    assert defaults.keys() >= {key for switch in SWITCHES.values() for key in switch}
    arms = {name: sorted(listed.split(", ")) for name, listed in rows(about_arms).items()}
    stems = [path.stem.partition(".") for path in ARMS]
    assert arms == {name: sorted(arm for start, _, arm in stems if start == name) for name in SWITCHES}
