"""A run's own pictures: drawn from whatever is there, with the right numbers in them."""

import json
from pathlib import Path

import numpy as np
import pytest
from viz.synthetic import add_evaluation, make_config, make_run

from rlkit.config.files import changed_config, debug_version, load_config
from rlkit.launchers.train import train
from rlkit.runs.evaluation import make_evaluation
from rlkit.runs.folder import RunFolder
from rlkit.viz import panels, style
from rlkit.viz.panels import task_parameter
from rlkit.viz.report import belief, evaluation_pictures, trajectories, write_report
from rlkit.viz.run_reader import RunReader

pytestmark = pytest.mark.usefixtures("_coarse_pictures")
PNG = b"\x89PNG\r\n\x1a\n"
SPEEDS = [{"velocity": 0.5 * i} for i in range(8)]
GOALS = [{"goal": [np.cos(a), np.sin(a)]} for a in np.linspace(0, np.pi, 8)]
PHYSICS = [{"body_mass": [1.0, 2.0, i], "friction": [[1.0, i], [2.0, 3.0]]} for i in range(8)]


@pytest.fixture
def _coarse_pictures(monkeypatch):
    monkeypatch.setitem(style.SETTINGS, "savefig.dpi", 40)  # drawing fine pixels takes most of the time


def names(paths):
    assert all(path.read_bytes().startswith(PNG) and path.parent.name == "plots" for path in paths)
    return [path.stem for path in paths]


@pytest.mark.parametrize(("tasks", "points"), [(SPEEDS, False), (GOALS, True), (PHYSICS, False)])
def test_whole_report(tmp_path, tasks, points):
    folder = make_run(tmp_path / "cheetah-vel" / "odd $name_ü", np.arange(20.0))
    add_evaluation(folder, tasks, list(range(2, 8)), points=points)
    expected = ["learning_curve", "adaptation", "return_by_task", "losses", "belief"]
    assert names(write_report(folder)) == expected + ["trajectories"] * points
    assert not list((folder / "plots").glob(".*"))


def test_two_directions_and_one_row(tmp_path):
    folder = make_run(tmp_path, [1.0])
    add_evaluation(folder, [{"direction": -1.0}, {"direction": 1.0}], [0, 1], lanes_per_task=4)
    assert len(write_report(folder)) == 5


def test_without_evaluation_the_csv_gives_the_adaptation(tmp_path):
    folder = make_run(tmp_path, np.arange(5.0))
    assert names(write_report(folder)) == ["learning_curve", "adaptation", "losses", "belief"]


def test_without_bottleneck_there_is_no_belief(tmp_path):
    columns = ["Number of env steps total", "AverageReturn_all_test_tasks", "QF Loss"]
    folder = make_run(tmp_path, np.arange(5.0), columns=columns)
    assert names(write_report(folder)) == ["learning_curve", "losses"]


def test_posteriors_have_a_place_beside_any_number_of_columns(tmp_path):
    folder = make_run(tmp_path, [1.0, 2.0], columns=["Number of env steps total", "KL Divergence"])
    add_evaluation(folder, SPEEDS, [1, 2, 3])
    run = RunReader(folder)
    run.refresh()
    with style.styled():
        figure = belief(run, run.folder.evaluation(), run.folder.tasks)
    places = [axes.get_position().bounds[:2] for axes in figure.axes if axes.get_title(loc="left")]
    assert len(set(places)) == 2


def test_nothing_there(tmp_path):
    assert write_report(tmp_path) == []
    (tmp_path / "progress.csv").write_text("Number of env steps total\n")
    assert write_report(tmp_path) == []


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_half_written_files_are_left_out(tmp_path, keep):
    folder = make_run(tmp_path, np.arange(5.0))
    add_evaluation(folder, GOALS, [1, 2, 3], points=True)
    for name in ("evaluation.npz", "tasks.json", "variant.json", "status.json", "progress.csv"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep) if keep < 1 else keep])
    write_report(folder)


def test_pickled_evaluation_is_refused(tmp_path):
    np.savez(tmp_path / "evaluation.npz", tasks=np.array([0]), returns=np.array([[{"a": 1}]], dtype=object))
    assert RunFolder(tmp_path).evaluation() is None


def test_last_and_first_returns_skip_missing_trajectories():
    evaluation = make_evaluation(
        {"tasks": np.array([3, 3, 5]), "returns": np.array([[1, 2, np.nan], [3, 4, 6], [np.nan] * 3])}
    )
    np.testing.assert_array_equal(evaluation.last_returns, [2, 6, np.nan])
    indices, means = evaluation.by_task(evaluation.last_returns)
    np.testing.assert_array_equal(indices, [3, 5])
    np.testing.assert_array_equal(means, [4, np.nan])


@pytest.mark.parametrize("returns", [np.zeros(3), np.zeros((2, 2)), np.zeros((3, 0))])
def test_arrays_that_do_not_belong_together(returns):
    with pytest.raises(ValueError, match="do not belong together"):
        make_evaluation({"tasks": np.arange(3), "returns": returns})


def test_adaptation_curve_is_the_mean_over_tasks(tmp_path):
    arrays = add_evaluation(tmp_path, SPEEDS, [0, 1, 2, 3, 4, 5])
    evaluation = make_evaluation(arrays)
    with style.styled():
        axes = style.new_figure(4, 3).subplots()
        panels.draw_adaptation(axes, evaluation, num_prior=2)
    *tasks, mean = axes.get_lines()
    assert len(tasks) == 6
    np.testing.assert_allclose(mean.get_ydata(), 25 + np.array([1, 2, 3]))
    np.testing.assert_allclose(tasks[2].get_ydata(), [21, 22, 23])
    assert {text.get_text().strip() for text in axes.texts} == {"z ~ prior", "z ~ q(z|c)"}


def test_return_by_task_puts_each_task_at_its_speed(tmp_path):
    evaluation = make_evaluation(add_evaluation(tmp_path, SPEEDS, [4, 6]))
    with style.styled():
        axes = style.new_figure(4, 3).subplots()
        tasks = [{"velocity": 0.5 * i + 0.01 * i**2} for i in range(8)]
        panels.draw_return_by_task(axes, make_evaluation(add_evaluation(tmp_path, tasks, [1, 3, 4, 6])), tasks)
    before, after = axes.get_lines()
    np.testing.assert_allclose(after.get_xdata(), [tasks[i]["velocity"] for i in (1, 3, 4, 6)])
    np.testing.assert_allclose(after.get_ydata(), [13, 33, 43, 63])
    np.testing.assert_allclose(before.get_ydata(), [11, 31, 41, 61])
    assert axes.get_xlabel() == "Target velocity (m/s)"
    assert evaluation.returns.shape == (4, 3)


def test_task_parameters():
    assert task_parameter(SPEEDS).values.tolist() == [0.5 * i for i in range(8)]
    assert task_parameter(GOALS).is_plane
    assert task_parameter([{"direction": 1.0}, {"direction": -1.0}]).is_categorical
    assert task_parameter([{"direction": 0.3}, {"direction": 5.0}]).label.endswith("(rad)")
    assert task_parameter(PHYSICS) is None
    assert task_parameter([{"a": "text"}, {"b": 1}]) is None
    assert task_parameter([]) is None


def test_broken_tasks_file(tmp_path):
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [1, {"velocity": 1.0}]}))
    assert RunFolder(tmp_path).tasks == [{"velocity": 1.0}]
    (tmp_path / "tasks.json").write_text(json.dumps([1]))
    assert RunFolder(tmp_path).tasks == []


def test_principal_plane_of_a_line():
    line = np.outer(np.linspace(-1, 1, 9), [3.0, 4.0, 0.0]) + 7
    flat, labels = panels.principal_plane(line)
    np.testing.assert_allclose(np.abs(flat[:, 0]), np.abs(np.linspace(-5, 5, 9)), atol=1e-9)
    np.testing.assert_allclose(flat[:, 1], 0, atol=1e-9)
    assert "(100%)" in labels[0]
    assert panels.principal_plane(np.zeros((3, 1)))[0].shape == (3, 2)
    assert panels.principal_plane(np.zeros((1, 4)))[0].shape == (1, 2)


def test_pictures_are_rgb_arrays(tmp_path):
    arrays = add_evaluation(tmp_path, GOALS, [1, 2], points=True)
    pictures = evaluation_pictures(arrays, GOALS, num_prior=1)
    assert set(pictures) == {"adaptation", "trajectories"}
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert picture.std() > 0
    arrays.pop("observations")
    assert set(evaluation_pictures(arrays, GOALS)) == {"adaptation"}


def test_config_without_exploration_count(tmp_path):
    folder = make_run(tmp_path, [1.0, 2.0], make_config(algo_params={"num_exp_traj_eval": "two"}))
    assert "adaptation" in names(write_report(folder))


@pytest.mark.parametrize(("env", "has_disc"), [("point-robot", False), ("sparse-point-robot", True)])
def test_a_disc_is_drawn_where_the_family_gives_a_sparse_reward(tmp_path, env, has_disc):
    from matplotlib.patches import Circle

    config = load_config(Path(__file__).parents[2] / f"configs/{env}.json", [f"util_params.base_log_dir={tmp_path}"])
    settings = {"util_params.use_gpu": False, "util_params.plots": False, "algo_params.num_train_steps_per_itr": 1}
    folder = train(debug_version(changed_config(config, settings)), name="run").path
    figure = trajectories(RunFolder(folder).evaluation(), RunFolder(folder).tasks, RunFolder(folder).rewarded_radius)
    discs = [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Circle)]
    assert bool(discs) == has_disc
    assert ("sparse reward" in figure.get_suptitle()) == has_disc
