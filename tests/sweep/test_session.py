"""A study under way, with runs that are written here instead of trained."""

import csv
import json
import shutil
from types import SimpleNamespace

import pytest
from viz.synthetic import make_run

from rlkit.config.files import changed_config, load_config
from rlkit.sweep.launch import Outcome, Row
from rlkit.sweep.outcome import standings
from rlkit.util.errors import UserError

KL = "algo_params.kl_lambda"
GRID = {KL: {"grid": [0.1, 1.0]}}


def carry_out(session, run, returns, outcome="finished", state="finished"):
    """What the engine tells of a run, and what the run would leave."""
    settings = dict(text.split("=") for text in run.settings)
    config = changed_config(load_config(run.config), {key: json.loads(value) for key, value in settings.items()})
    session.starts(run)
    make_run(run.folder, returns, {**config.model_dump(), "seed": run.seed}, state=state)
    session.began(run, 0)
    for number, value in enumerate(returns):
        session.row(run, Row(number + 1, value))
    session.ended(run, Outcome(outcome))


def table(project, name="study"):
    with (project.study_folder(name) / "study.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_per_run(project):
    session = project.session(space=GRID, seeds=2)
    carry_out(session, session.next(), [-9, -8, -7])
    carry_out(session, session.next(), [-5, -5, -5])
    carry_out(session, session.next(), [-4], "stopped", "interrupted")
    session.starts(session.next())
    rows = table(project)
    assert [row["run"] for row in rows] == ["000-s0", "000-s1", "001-s0", "001-s1"]
    assert [row["state"] for row in rows] == ["finished", "finished", "stopped", "running"]
    assert [row[KL] for row in rows] == ["0.1", "0.1", "1.0", "1.0"]
    assert [row["value"] for row in rows] == ["-8.0", "-5.0", "-4.0", ""]
    assert rows[0]["folder"] == str(project.study_folder() / "000-s0")
    assert session.next() is None


def test_runs_go_into_the_studys_folder(project):
    run = project.session(space=GRID).next()
    words = run.command(["--cpu"])
    assert words[words.index("--name") + 1] == "study/000-s0"
    assert run.folder == project.study_folder() / "000-s0"
    assert f"{KL}=0.1" in words


def test_what_has_ended_is_not_repeated_and_the_rest_is(project):
    session = project.session(space=GRID, seeds=2)
    carry_out(session, session.next(), [-9, -8, -7])
    carry_out(session, session.next(), [-5], "stopped", "interrupted")
    carry_out(session, session.next(), [-4], "interrupted", "interrupted")
    carry_out(session, session.next(), [-4], "failed", "failed")
    again = project.session(resumes=True, space=GRID, seeds=2)
    assert [again.next().name, again.next().name, again.next()] == ["001-s0", "001-s1", None]
    assert dict(again.past()) == {"000-s0": [Row(1, -9), Row(2, -8)], "000-s1": [Row(1, -5)]}
    assert [entry.value for entry in again.entries][:2] == [-8, -5]


def test_what_a_stopped_run_saved_last_is_in_the_table(project):
    pytest.importorskip("ray")
    from rlkit.sweep.on_ray import _Tell

    session = project.session(space=GRID)
    tell = _Tell(session, None)
    for name, run, last in (("a", session.next(), [-9.0, -8.0]), ("b", session.next(), [-9.0, -8.0, -7.0])):
        trial = SimpleNamespace(trial_id=name, config={"job": SimpleNamespace(run=run)}, last_result={})
        tell.on_trial_start(0, [], trial)
        make_run(run.folder, [-9.0], {}, state="interrupted")
        tell.on_trial_complete(0, [], trial)
        shutil.rmtree(run.folder)
        make_run(run.folder, last, {}, state="interrupted")
    assert [row["iteration"] for row in table(project)] == ["1", "1"]
    tell.end()
    assert [row["iteration"] for row in table(project)] == ["2", "3"]
    assert [row["state"] for row in table(project)] == ["stopped", "finished"]


def test_another_study_is_not_gone_on_with(project):
    session = project.session(space=GRID)
    with pytest.raises(UserError, match="no study in"):
        project.session(resumes=True, name="other", space=GRID)
    session.starts(session.next())
    project.session(space=GRID)  # no run began: nothing is lost
    make_run(project.study_folder() / "000-s0", [-1], {})
    with pytest.raises(UserError, match="exists already: go on with it by --resume"):
        project.session(space=GRID)
    with pytest.raises(UserError, match="is another study: its seeds is 1"):
        project.session(resumes=True, space=GRID, seeds=2)
    project.change(num_train_steps_per_itr=2)
    with pytest.raises(UserError, match=r"another study: its algo_params\.num_train_steps_per_itr is 1"):
        project.session(resumes=True, space=GRID)


def test_a_longer_study_takes_finished_runs_on(project):
    session = project.session(space=GRID)
    carry_out(session, session.next(), [-9, -8, -7])
    project.change(num_iterations=5)
    assert project.session(resumes=True, space=GRID).next().name == "000-s0"


OPTUNA = {"space": {KL: {"uniform": [0.0, 1.0]}, "latent_size": {"choice": [2, 4]}}, "search": "optuna", "samples": 4}


class Heard:
    """Stands between a session and its search, and notes what is told."""

    def __init__(self, session):
        self.told, self._search = [], session._search
        session._search = self

    def ask(self, number):
        return self._search.ask(number)

    def tell(self, number, value):
        self.told.append((number, value))
        self._search.tell(number, value)


def test_the_search_hears_the_mean_over_a_points_seeds_once(project):
    session = project.session(**OPTUNA, seeds=3)
    heard = Heard(session)
    runs = [session.next() for _ in range(6)]
    for run, value in zip(runs[:2], (-1, -2), strict=True):
        carry_out(session, run, [value] * 3)
    carry_out(session, runs[3], [-7] * 3)
    assert heard.told == []
    carry_out(session, runs[2], [-6] * 3)
    assert heard.told == [(0, -3.0)]
    carry_out(session, runs[4], [-8], "stopped", "interrupted")
    carry_out(session, runs[5], [], "failed", "failed")
    assert heard.told == [(0, -3.0), (1, -7.5)]  # over those that came to something


def test_a_search_goes_on_with_what_it_knew(project):
    session = project.session(**OPTUNA, seeds=2)
    runs = [session.next() for _ in range(4)]
    for run in runs[:3]:
        carry_out(session, run, [-3, -3, -3])
    again = project.session(resumes=True, **OPTUNA, seeds=2)
    assert [entry.point.settings for entry in again.entries] == [entry.point.settings for entry in session.entries]
    known = again._search._study.trials
    assert [trial.state.name for trial in known] == ["COMPLETE", "RUNNING"]
    assert known[0].value == -3
    assert again.next().name == "001-s1"
    new = [again.next() for _ in range(4)]
    assert [run.name for run in new] == ["002-s0", "002-s1", "003-s0", "003-s1"]
    assert again.next() is None
    settings = [json.dumps(again.entries[2 * number].point.settings) for number in range(4)]
    assert len(set(settings)) == 4  # the sampler does not begin again
    carry_out(again, runs[3], [-5, -5, -5])
    assert again._search._study.trials[1].value == -4


def test_a_search_that_minimizes_finds_the_small(project):
    session = project.session(**{**OPTUNA, "samples": 30}, mode="min")
    while (run := session.next()) is not None:
        carry_out(session, run, [session._entry(run).point.settings[KL]] * 3)
    found = [entry.point.settings[KL] for entry in session.entries]
    assert sum(found[20:]) / 10 < 0.3
    assert standings(session.entries, "min")[0].estimate.center == min(found)


def test_points_that_came_to_their_end_stand_before_those_that_were_stopped(project):
    session = project.session(space={KL: {"grid": [0.1, 0.2, 0.3]}}, seeds=2)
    for returns in ([-9] * 3, [-7] * 3, [-1], [-1], [-5] * 3, [-6] * 3):
        whole = len(returns) == 3
        carry_out(session, session.next(), returns, *(() if whole else ("stopped", "interrupted")))
    found = standings(session.entries, "max")
    assert [one.point.number for one in found] == [2, 0, 1]
    assert [one.estimate.center for one in found] == [-5.5, -8.0, -1.0]
    assert found[0].estimate[1:] == (-6.0, -5.0)


def test_the_picture_and_the_table_name_the_best(project, capsys):
    from rlkit.sweep.outcome import draw_outcome
    from rlkit.sweep.show import Show

    space = {KL: {"loguniform": [0.01, 1]}, "algo_params.critic": {"choice": ["v", "twin_q"]}}
    session = project.session(space=space, samples=7)
    show = Show(session)
    while (run := session.next()) is not None:
        carry_out(session, run, [-run.folder.name.count("3") - 1.0] * 3)
    show.result()
    said = capsys.readouterr().out
    assert "000-s0 running 0/3 | 0 of 7 runs, 1 running | 0:00:00" in said
    assert "006-s0 finished 3/3 -1.00 | 7 of 7 runs, 0 running" in said
    assert "study: best of 7 points" in said
    table, picture = draw_outcome(session)
    assert (table.name, picture.name) == ("study.csv", "study.png")
    assert picture.stat().st_size > 10_000
