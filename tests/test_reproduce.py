"""scripts/reproduce.py as a user calls it, over tiny experiments, and what it makes of finished runs."""

import copy
import csv
import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from commands import error_line, tiny_config
from viz.synthetic import COLUMNS, make_run

ROOT = Path(__file__).parent.parent
TINY = {
    **tiny_config(
        num_iterations=2,
        num_initial_steps=15,
        num_tasks_sample=5,
        num_steps_prior=12,
        num_extra_rl_steps_posterior=10,
    ),
    "util_params": {"plots": False, "num_threads": 1},
}
EXPERIMENTS = {
    "alone": {"title": "One", "arms": ["tiny"], "seeds": 2, "target": -6.0, "reached": "-7", "keeps_weights": False},
    "arms": {
        "title": "Several",
        "arms": [{"label": "same", "config": "tiny", "runs_of": "alone"}, {"label": "other", "config": "other"}],
        "seeds": 2,
        "order": ["same", "other"],
        "by_trajectory": True,
        "columns": ["Z variance eval"],
        "keeps_weights": False,
    },
    "large": {"title": "On a GPU", "arms": ["tiny"], "device": "gpu", "env_steps": 1000},
}
VERSIONS = {"device": "cpu", "platform": "elsewhere", "git_commit": "abc", "torch": "2"}


class Project:
    """Two tiny experiments in folders of their own: `alone`, and `arms`, which shares the runs of `alone`."""

    def __init__(self, script, folder):
        from rlkit.reproduction.plan import Reproduction

        self.script, self.folder = script, folder
        self.reproduction = Reproduction(folder / "output", folder / "results", folder / "docs/results.md")
        self.experiments = copy.deepcopy(EXPERIMENTS)

    def __call__(self, *arguments):
        return CliRunner().invoke(self.script.main, [*arguments, "--output", str(self.reproduction.output)])

    def plan(self, name="alone", label="", seed=0):
        experiment = self.reproduction.find(name)
        arm = next(arm for arm in experiment.arms if arm.label == label)
        return self.reproduction.plan(experiment, arm, seed)

    def finish(self, *, returns=(-9, -8, -7, -6, -5, -4), columns=COLUMNS, state="finished", **which):
        """Leave the folder of a run whose column `Test Return Trajectory n` and times count the rows."""
        plan = self.plan(**which)
        config = plan.config.model_dump()
        config["algo_params"]["num_iterations"] = len(returns)
        make_run(plan.run.folder, returns, config, columns=columns, state=state)
        (plan.run.folder / "versions.json").write_text(json.dumps(VERSIONS))
        return plan

    def expect(self, name, **changes):
        """Change an experiment."""
        self.experiments[name] |= changes
        tree = [{"name": name, **experiment} for name, experiment in self.experiments.items()]
        (self.folder / "results/experiments.json").write_text(json.dumps(tree))
        vars(self.reproduction).pop("experiments", None)  # read anew

    def change(self, **algo_params):
        """Change the config of all arms."""
        tree = {**TINY, "algo_params": {**TINY["algo_params"], **algo_params}}
        (self.folder / "configs/tiny.json").write_text(json.dumps(tree))


@pytest.fixture
def project(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import reproduce
    from rlkit.reproduction import experiments

    for folder in ("configs", "docs", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "configs/other.json").write_text(json.dumps({"base": "tiny.json", "latent_size": 2}))
    (tmp_path / "results/notes.md").write_text(
        'about\n## alone\nReaches {{ r("alone") }}, {{ r("alone", "band") }}.\n'
    )
    monkeypatch.setattr(reproduce, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(reproduce, "PAGE", tmp_path / "docs/results.md")
    monkeypatch.setattr(experiments, "CONFIGS", tmp_path / "configs")
    project = Project(reproduce, tmp_path)
    project.change()
    project.expect("alone")
    return project


def remade(project):
    result = project("--budget-minutes", "0")
    assert result.exit_code == 0, result.output
    return project.reproduction.page.read_text()


def handed_out(work):
    """The runs of a piece of work, in their order."""
    return list(iter(work.next, None))


# ---- plans -------------------------------------------------------------------------------------------------


def test_length_counts_whole_episodes(project):
    from rlkit.reproduction.plan import env_steps_after, iterations_until

    config = project.plan().config
    assert env_steps_after(config, 3) == 2 * 20 + 3 * 5 * (20 + 10)
    assert [iterations_until(config, steps) for steps in (1, 190, 191, 490)] == [1, 1, 2, 3]
    assert project.plan("large").run.num_iterations == 7


def test_runs_are_named_by_experiment_arm_and_seed(project):
    assert project.plan(seed=1).run.folder == project.reproduction.output / "point-robot/reproduce.alone-s1"
    assert project.plan("arms", "other").run.folder.name == "reproduce.arms.other-s0"
    assert project.plan("arms", "other", 1).results == project.reproduction.results / "arms/other-s1"
    assert project.plan("arms", "same", 1) == project.plan(seed=1)


def test_commands_start_and_resume(project):
    plan = project.plan()
    command = plan.run.command(["--cpu"])
    assert command[2:8] == [str(plan.run.config), "--seed", "0", "--name", "reproduce.alone-s0", "--cpu"]
    assert "algo_params.num_iterations=2" in command
    assert f'util_params.base_log_dir="{project.reproduction.output}"' in command
    project.finish(state="interrupted")
    resumed = plan.run.command(["--cpu"])[2:]
    assert resumed == ["--resume", str(plan.run.folder), "--cpu", "--set", "algo_params.num_iterations=2"]


# ---- what is kept ------------------------------------------------------------------------------------------


def test_the_page_tells_what_the_rows_say(project):
    for seed, returns in enumerate(([-99] + [-5] * 5, [-99] + [-7] * 5)):
        project.finish(seed=seed, returns=returns)
    project.finish(name="arms", label="other", returns=[-8] * 6)
    page = remade(project)
    overview, arms = (
        [line for line in page.splitlines() if line.startswith(start)] for start in ("| point-robot (`alone`)", "| ")
    )
    cells = overview[0].strip("| ").split(" | ")
    assert cells[1:6] == ["6k", "2", "**-6.00** (-7.00 to -5.00)", "-7", "-6 or better: met"]
    assert cells[6] == "0.1 min (0.1 to 0.1)"
    assert cells[7] == "CPU, 1 thread, float32"
    assert sum(line.startswith("| same | 6k | 2 | **-6.00**") for line in arms) == 1
    assert sum(line.startswith("| other | 6k | 1 | **-8.00** | -8.00 | **3.00** | 0.1 min |") for line in arms) == 1
    assert "| each seed | Posterior variance, evaluation | wall-clock |" in page
    assert "[`tiny.json`](../configs/tiny.json), [`other.json`](../configs/other.json): 2 iterations." in page
    assert "Order in the paper: same > other. Here: same > other." in page
    assert "| same | 3.00 | 3.00 | 3.00 |" in page
    assert "Reaches -6.00, -7.00 to -5.00." in page
    assert "## Not run yet\n\nlarge." in page
    for figure in ("alone", "arms", "arms-by-trajectory"):
        assert f"(../results/figures/{figure}.png)" in page
        assert (project.reproduction.results / f"figures/{figure}.png").stat().st_size < 300_000


def test_the_same_data_make_the_same_files(project):
    project.finish()

    def files():
        remade(project)
        paths = [project.reproduction.page, *sorted(project.reproduction.results.rglob("*.*"))]
        return {path: path.read_bytes() for path in paths if path.is_file()}

    first = files()
    assert files() == first
    for path in (project.reproduction.output / "point-robot").iterdir():
        path.rename(project.folder / "gone")
    assert files() == first


def test_unfinished_runs_are_not_kept(project):
    project.finish(returns=[-3], state="interrupted")
    assert "no finished run yet" in remade(project)
    assert not (project.reproduction.results / "alone").exists()


def test_a_missed_target_is_said(project):
    project.finish(returns=[-6.5] * 6)
    assert "-6 or better: **missed**" in remade(project)


def test_results_of_another_config_do_not_count(project):
    project.finish()
    remade(project)
    project.change(discount=0.5)
    assert "no finished run yet" in remade(project)
    result = project("--list")
    assert "of another config: 0" in result.output
    result = project("--only", "alone")
    assert "discount is 0.99, planned 0.5; move it away" in error_line(result)


def test_results_of_a_shorter_run_do_not_count(project):
    project.finish()
    remade(project)
    project.change(num_iterations=7)
    assert "no finished run yet" in remade(project)
    assert "finished at 6: 0" in project("--list").output


def test_machine_and_commit_are_kept_by_session(project):
    from rlkit.reproduction.collect import note_session

    plan = project.finish()
    for iterations in (0, 4, 4, 5):  # nothing was completed in the second session
        note_session(plan.run, iterations, "cpu")
    remade(project)
    sessions = json.loads((plan.results / "machine.json").read_text())
    assert [session["from_iteration"] for session in sessions] == [0, 4, 5]
    assert all(session["cpu"] and session["cores"] and session["torch"] for session in sessions)
    assert all(len(session["git_commit"]) == 40 for session in sessions)


def test_a_run_that_the_launcher_started_has_its_versions(project):
    plan = project.finish()
    remade(project)
    (session,) = json.loads((plan.results / "machine.json").read_text())
    assert (session["git_commit"], session["torch"], session["cpu"]) == ("abc", "2", None)


def test_what_is_kept_names_no_folder_of_the_machine(project):
    plan = project.finish()
    command = [
        "/home/me/pearl/launch_experiment.py",
        "/home/me/pearl/configs/x.json",
        "--seed",
        "0",
        "/tmp/other.json",
    ]
    (plan.run.folder / "versions.json").write_text(json.dumps({**VERSIONS, "command": command}))
    remade(project)
    (session,) = json.loads((plan.results / "machine.json").read_text())
    assert session["command"] == ["launch_experiment.py", "configs/x.json", "--seed", "0", "other.json"]


@pytest.mark.parametrize(("rows", "limit", "kept"), [(5, 10_000, 5), (500, 2_000, 332), (500, 12, 2)])
def test_thinning_keeps_whole_rows_evenly_with_first_and_last(project, rows, limit, kept):
    from rlkit.reproduction.collect import thinned

    table = b"header\n" + b"".join(b"%05d\n" % row for row in range(rows))
    thin = thinned(table, limit).splitlines()
    assert thin[0] == b"header"
    numbers = np.array([int(line) for line in thin[1:]])
    assert len(numbers) == kept
    assert (numbers[0], numbers[-1]) == (0, rows - 1)
    gaps = np.diff(numbers)
    assert gaps.min() > 0
    assert gaps.max() - gaps.min() <= 1
    assert kept == 2 or len(b"\n".join(thin)) <= limit


def test_long_runs_are_thinned_and_their_totals_stay(project):
    plan = project.finish(returns=np.linspace(-20.0, -5.0, 2000))
    page = remade(project)
    path = plan.results / "progress.csv"
    assert path.stat().st_size <= 300_000
    with path.open() as file:
        epochs = [float(row["Epoch"]) for row in csv.DictReader(file)]
    assert (epochs[0], epochs[-1]) == (0, 1999)
    assert "| 2.00M | 1 |" in page
    assert "33.3 min" in page


def test_levels_are_those_of_this_config(project):
    """The README's figures, those of the domains for their test tasks; of 60 steps, 40 more are spent at the goal."""
    from rlkit.config.files import load_config
    from rlkit.reproduction.figures import walking_levels

    quickstart, points, sparse, small = (
        walking_levels(load_config(ROOT / f"configs/{name}.json"))
        for name in ("quickstart", "point-robot", "sparse-point-robot", "sparse-point-robot-small")
    )
    assert -18 < quickstart["to the centre"] < -16
    assert points == pytest.approx({"straight to the goal": -5.2, "to the centre": -15.9}, rel=0.15)
    assert sparse == pytest.approx({"straight to the goal": 13.4}, abs=0.3)
    assert small["straight to the goal"] == pytest.approx(sparse["straight to the goal"] + 40, abs=0.1)


def collected(project, *arguments):
    return project(*(str(argument) for argument in arguments))


def moved(project, **which):
    """A finished run as somebody else may have left it: elsewhere, under another name, of other threads."""
    plan = project.finish(**which)
    folder = project.folder / "elsewhere/mine"
    folder.parent.mkdir()
    plan.run.folder.rename(folder)
    config = json.loads((folder / "variant.json").read_text())
    config["algo_params"]["num_itrs_per_eval"] = 2
    config["util_params"] |= {"num_threads": 2, "plots": True, "base_log_dir": "elsewhere"}
    (folder / "variant.json").write_text(json.dumps(config))
    return plan, folder


def test_a_run_that_lies_anywhere_is_collected_by_its_config(project):
    plan, folder = moved(project, name="arms", label="other", seed=1)
    result = collected(project, "--collect", folder, "--cpu-minutes", "7")
    assert result.exit_code == 0, result.output
    assert f"{folder}: kept in {plan.results}" in " ".join(result.output.split())
    (session,) = json.loads((plan.results / "machine.json").read_text())
    assert session["cpu_minutes"] == 7
    assert "| other | 6k | 1 | **-6.00** |" in project.reproduction.page.read_text()
    assert "kept already" in collected(project, "--collect", folder).output


def test_only_finished_runs_of_an_experiment_are_collected(project):
    _, folder = moved(project, returns=[-3], state="interrupted")
    assert "mine is not finished: 1 of 2 iterations" in error_line(collected(project, "--collect", folder))
    config = json.loads((folder / "variant.json").read_text()) | {"net_size": 16}
    (folder / "variant.json").write_text(json.dumps(config))
    line = error_line(collected(project, "--collect", folder))
    assert "mine is a run of no experiment; of alone it differs: net_size is 16, planned 8" in line
    assert not (project.reproduction.results / "alone").exists()


def test_a_domain_that_leads_has_its_row_and_panel(project):
    project.expect("alone", leads=True, compared_at=3_500)
    project.expect("arms", leads=True, order=[])
    _, folder = moved(project, returns=[-9, -8, -7, -6, -5, -4])
    assert collected(project, "--collect", folder, "--cpu-minutes", "5").exit_code == 0
    page = remade(project)
    (row,) = [line for line in page.splitlines() if line.startswith("| point-robot (`alone`) | -6 or better: met |")]
    assert "| -6.00 | 0.1 min | 5.0 min | 6k | **-6.50** after 4k | -7 |" in row
    assert page.index("../results/figures/domains.png") < page.index("| domain | target")
    assert (project.reproduction.results / "figures/domains.png").stat().st_size < 300_000


def test_a_run_of_hours_tells_its_return_after_one_and_a_half(project):
    project.expect("alone", leads=True, compared_at=3_500)
    _, folder = moved(project, returns=[-9, -8, -7, -6, -5, -4])
    rows = pd.read_csv(folder / "progress.csv")
    rows["Total Train Time (s)"] *= 1600
    rows.to_csv(folder / "progress.csv", index=False)
    assert collected(project, "--collect", folder).exit_code == 0
    assert "| **-6.50** after 4k, **-5.62** after 90.0 min |" in remade(project)


def test_a_film_is_shown_where_there_is_one(project):
    project.expect("alone", filmed_task=3)
    project.finish()
    assert ".gif" not in remade(project)
    (project.reproduction.results / "figures/alone.gif").write_bytes(b"GIF89a")
    page = remade(project)
    assert "(../results/figures/alone.gif)" in page
    assert "sim_policy.py results/weights/alone --task 3 --gif results/figures/alone.gif" in page


def test_what_was_tried_is_listed(project):
    path = project.reproduction.results / "tried.csv"
    path.write_text('domain,settings,return\nant-dir,"width 128, 2 x 128 rows",192\n')
    page = remade(project)
    assert page.endswith("| ant-dir | width 128, 2 x 128 rows | 192 |\n")
    assert "## Appendix: every config that was tried\n\n| domain | settings | return |\n" in page
    path.write_text("domain,settings\nant-dir\n")
    assert f"{path}, line 2: 1 cells, should be 2: domain, settings" in error_line(project("--budget-minutes", "0"))


def test_a_cpu_is_told_how_long_it_will_take(project, monkeypatch):
    started = []
    monkeypatch.setattr(project.script, "execute", lambda work, means: started.extend(handed_out(work)))
    project.change(num_train_steps_per_itr=1_000_000)
    result = project("--only", "large", "--seeds", "1")
    assert result.exit_code == 0, result.output
    assert "reproduce.large-s0: meant for a GPU; about 12 h on two CPU cores" in result.output
    assert [run.name for run in started] == ["reproduce.large-s0"]


# ---- the command line --------------------------------------------------------------------------------------


def test_list_tells_how_far_each_run_is(project):
    project.finish()
    remade(project)
    project.finish(seed=1, returns=[-3], state="interrupted")
    project.finish(name="arms", label="other", returns=[-3], state="running")  # whose process is gone
    output = " ".join(project("--list").output.split())
    assert "│ alone │ tiny │ 0k │ 2 │ -6 │ cpu │ collected: 0; interrupted at 1: 1" in output
    assert "stopped at 1: 0; missing: 1" in output
    assert "large" in output
    assert "gpu" in output
    assert "large" not in project("--list", "--only", "alone").output


def test_collected_runs_are_not_started_again(project, monkeypatch):
    started = []
    monkeypatch.setattr(project.script, "execute", lambda work, means: started.extend(handed_out(work)))
    for seed in range(2):
        project.finish(seed=seed)
    remade(project)
    for path in (project.reproduction.output / "point-robot").iterdir():
        path.rename(project.folder / path.name)  # a fresh clone has no output
    assert project("--only", "alone").exit_code == 0
    assert started == []
    assert project("--only", "arms", "--seeds", "3").exit_code == 0
    names = ["reproduce.arms.other-s0", "reproduce.arms.other-s1", "reproduce.alone-s2", "reproduce.arms.other-s2"]
    assert [run.name for run in started] == names


def test_without_names_the_experiments_for_the_device_run(project, monkeypatch):
    chosen = []
    monkeypatch.setattr(project.script, "execute", lambda work, means: chosen.append((handed_out(work), means)))
    monkeypatch.setattr(project.script, "gpu_name", lambda device: device)
    assert project("--seeds", "1", "--jobs", "2").exit_code == 0
    assert project("--seeds", "1", "--device", "cuda:1").exit_code == 0
    (on_cpu, cpu), (on_gpu, gpu) = chosen
    assert [run.name for run in on_cpu] == ["reproduce.alone-s0", "reproduce.arms.other-s0"]
    assert (cpu.device, cpu.jobs) == (["--cpu"], 2)
    assert any(setting.startswith("util_params.num_threads=") for setting in on_cpu[0].settings)
    assert [run.name for run in on_gpu] == ["reproduce.large-s0"]
    assert (gpu.device, gpu.needs_ray) == (["--gpu", "1"], False)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--only", "alnoe"], "unknown experiment 'alnoe'; choose one of alone, arms, large"),
        (["--device", "tpu"], "--device tpu: should be cpu, cuda or cuda:ID"),
        (["--device", "cuda:x"], "--device cuda:x"),
        (["--device", "cpu:0"], "--device cpu:0"),
        (["--device", "cuda:99"], "--device cuda:99"),
        (["--cpu-minutes", "3"], "--cpu-minutes: should come with one --collect"),
        (["--collect", "nowhere"], "nowhere"),
    ],
)
def test_wrong_input_is_one_line(project, arguments, part):
    assert part in error_line(project(*arguments))
    assert not project.reproduction.output.exists()


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ('[{"name": "alone", "title": "One", "armes": ["tiny"]}]', "unknown key '0.armes'; the nearest"),
        ('[{"name": "alone", "title": "One", "arms": ["tiny"], "seeds": 0}]', "0.seeds: should be greater than"),
        ('[{"name": "alone", "arms": [{"label": "a"}]}]', "the key '0."),
        ('[{"title": "One"}]', "the key '0.name' is missing"),
        ("[3]", "0: should be"),
        ("{}", "should be a valid tuple"),
        ("[", "not valid JSON"),
    ],
)
def test_a_wrong_table_of_experiments_is_one_line(project, table, part):
    path = project.reproduction.results / "experiments.json"
    path.write_text(table)
    line = error_line(project("--list"))
    assert str(path) in line
    assert part in line


@pytest.mark.parametrize(
    ("name", "damage", "part"),
    [
        ("progress.csv", lambda text: text[:-20], "should be"),
        ("progress.csv", lambda text: text.replace(",", ",x", 50), "could not convert string to float"),
        ("progress.csv", lambda text: text.splitlines()[0], "should be"),
        ("progress.csv", lambda text: "", "not enough values"),
        ("progress.csv", lambda text: text.replace("AverageReturn_all_test_tasks", "Return"), "the column"),
        ("variant.json", lambda text: text[:-20], "not valid JSON"),
        ("machine.json", lambda text: text[:-20], "Expecting"),
        ("machine.json", lambda text: "{}", "should be a list of sessions"),
    ],
)
def test_damaged_results_are_named_in_one_line(project, name, damage, part):
    plan = project.finish()
    remade(project)
    path = plan.results / name
    path.write_text(damage(path.read_text()))
    line = error_line(project("--budget-minutes", "0"))
    assert str(path) in line
    assert part in line


@pytest.mark.parametrize(
    ("notes", "part"),
    [
        ("## alnoe\n", "unknown heading 'alnoe'; choose one of domains, alone, arms, arms-by-trajectory, large"),
        ('## alone\n{{ r("alnoe") }}', "alone: no such experiment or arm: alnoe"),
        ('## alone\n{{ r("arms") }}', "arms of arms: same, other"),
        ('## alone\n{{ r("alone", "speed") }}', "no such quantity or column: speed"),
        ("## alone\n{{ r() }}", "alone: "),
        ("## alone\n{{ q }}", "alone: 'q' is undefined"),
        ("## alone\n{{ r", "alone: unexpected end"),
    ],
)
def test_notes_that_mean_nothing_are_said(project, notes, part):
    project.finish()
    (project.reproduction.results / "notes.md").write_text(notes)
    assert part in error_line(project("--budget-minutes", "0"))


def test_notes_are_filled_in(project):
    project.finish()
    text = """{{ r("alone", "Epoch") }} {{ r("arms/same", "trajectory 2") }} {{ r("alone", "env steps") }}
        {{ r("alone", "wall-clock") }} {{ r("arms/other") }}"""
    (project.reproduction.results / "notes.md").write_text(f"## alone\nA\n## Where we differ, and why\n{text}\n")
    page = remade(project)
    assert "## Where we differ, and why\n\n3.00 3.00 6k 0.1 min (no finished run yet)\n" in page


@pytest.mark.parametrize(
    ("value", "text"), [(-0.004, "0.00"), (-0.006, "-0.01"), (-9.994, "-9.99"), (-35.62, "-35.6"), (1008.4, "1008")]
)
def test_numbers_have_three_digits_and_nothing_has_no_sign(value, text):
    from rlkit.reproduction.results import number

    assert number(value) == text


# ---- real runs ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_runs_stop_for_budget_and_interrupt_and_go_on_to_the_end(project):
    plan = project.plan()
    project.change(num_iterations=100_000)
    for minutes in ("0.15", "0.5", "2"):  # the more the slower the machine is just now
        result = project("--only", "alone", "--seeds", "1", "--budget-minutes", minutes)
        assert result.exit_code == 0, result.output
        if first := plan.run.iterations:
            break
    assert 0 < first < 100_000
    assert f"stopped after {first} of 100000 iterations; can be resumed" in result.output
    assert plan.run.state == "interrupted"
    assert "no finished run yet" in project.reproduction.page.read_text()

    def interrupt():
        while not plan.run.iterations > first:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    assert project("--only", "alone", "--seeds", "1").exit_code == 130
    thread.join()
    second = plan.run.iterations
    assert second > first
    assert (plan.run.state, plan.run.is_running) == ("interrupted", False)

    project.change(num_iterations=second + 1)
    result = project("--only", "alone", "--seeds", "1")
    assert result.exit_code == 0, result.output
    assert "reproduce.alone-s0: finished" in result.output
    with (plan.results / "progress.csv").open() as file:
        assert float(list(csv.DictReader(file))[-1]["Epoch"]) == second
    sessions = json.loads((plan.results / "machine.json").read_text())
    assert [session["from_iteration"] for session in sessions] == [0, first, second]
    assert (
        "no finished run yet"
        not in project.reproduction.page.read_text()
        .split("## Every other experiment")[1]
        .split("`alone`")[1]
        .split("\n")[0]
    )


@pytest.mark.slow
def test_the_agent_that_is_kept_can_be_simulated(project, monkeypatch):
    import sim_policy
    from rlkit.reproduction import collect

    del project.experiments["arms"], project.experiments["large"]
    project.expect("alone", arms=["tiny", {"label": "other", "config": "other"}], keeps_weights=True)
    assert project("--seeds", "2", "--jobs", "2").exit_code == 0
    assert (project.reproduction.results / "weights/alone.other/policy.pth").exists()
    folder = project.reproduction.results / "weights/alone"
    files = ["context_encoder.pth", "policy.pth", "status.json", "tasks.json", "variant.json"]
    assert sorted(path.name for path in folder.iterdir()) == files
    assert (folder / "policy.pth").read_bytes() == (project.plan().run.folder / "policy.pth").read_bytes()
    for kept_config in (folder / "variant.json", project.plan().results / "variant.json"):
        assert json.loads(kept_config.read_text())["util_params"]["base_log_dir"] == "output"

    def simulated():
        result = CliRunner().invoke(sim_policy.main, [str(folder), "-o", str(project.folder / "sim.json")])
        assert result.exit_code == 0, result.output
        return json.loads((project.folder / "sim.json").read_text())["last_trajectory"]["mean"]

    with (project.plan().results / "progress.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert simulated() == pytest.approx(float(row["AverageReturn_all_test_tasks"]), rel=1e-6)

    monkeypatch.setattr(collect, "MAX_WEIGHTS_BYTES", 1)  # then in half precision
    size = (folder / "policy.pth").stat().st_size
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    remade(project)
    assert (folder / "policy.pth").stat().st_size < size
    assert simulated() == pytest.approx(float(row["AverageReturn_all_test_tasks"]), rel=0.05)


@pytest.mark.slow
def test_a_failing_run_is_named_and_the_others_are_kept(project):
    (project.folder / "configs/other.json").write_text(
        json.dumps({"base": "tiny.json", "path_to_weights": "nowhere"})
    )
    result = project("--only", "arms", "--seeds", "1", "--jobs", "2")
    assert result.exit_code == 1, result.output
    assert "reproduce.arms.other-s0: error: path_to_weights" in result.output
    assert "reproduce.alone-s0: kept in" in result.output
