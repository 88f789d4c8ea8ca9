"""scripts/sim_policy.py as a user calls it: the training's numbers again, other seeds, films, wrong input."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from launch_experiment import main as launch

ROOT = Path(__file__).parent.parent
SMALL = ["net_size=16", "encoder_size=16", "algo_params.embedding_batch_size=32"]
SMALL += ["algo_params.embedding_mini_batch_size=32", "algo_params.num_evals=1"]


@pytest.fixture
def simulate(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import sim_policy

    def simulate(*arguments):
        return CliRunner().invoke(sim_policy.main, list(map(str, arguments)))

    return simulate


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Makes debug runs, each once."""
    output = tmp_path_factory.mktemp("output")

    def run(env, *settings):
        folder = output / env / "debug"
        if not folder.exists():
            settings = [*SMALL, *settings, f"util_params.base_log_dir={json.dumps(str(output))}"]
            arguments = [word for setting in settings for word in ("--set", setting)]
            config = str(ROOT / f"configs/{env}.json")
            result = CliRunner().invoke(launch, [config, "--debug", "--cpu", "--seed", "7", *arguments])
            assert result.exit_code == 0, result.output
        return folder

    return run


@pytest.fixture
def point_robot(runs, tmp_path):
    """A copy of a run, with the folder to itself."""
    return Path(shutil.copytree(runs("point-robot"), tmp_path / "run"))


def simulated(simulate, folder, *arguments):
    result = simulate(folder, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads((folder / "sim_policy.json").read_text()), result.output


@pytest.mark.parametrize(
    "env",
    ["point-robot", "sparse-point-robot", "cheetah-vel", pytest.param("walker-rand-params", marks=pytest.mark.slow)],
)
def test_the_numbers_are_the_trainings(simulate, runs, tmp_path, env):
    folder = Path(shutil.copytree(runs(env), tmp_path / "run"))
    result, _ = simulated(simulate, folder)
    with np.load(folder / "evaluation.npz") as evaluation:
        returns = [run for task in result["tasks"] for run in task["returns"]]
        for run, expected in zip(returns, evaluation["returns"], strict=True):
            np.testing.assert_array_equal(np.float32(run), expected[np.isfinite(expected)])
        means = [mean for task in result["tasks"] for mean in task["z_mean"]]
        np.testing.assert_array_equal(np.float32(means), evaluation["z_mean"])
    with (folder / "progress.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert result["last_trajectory"]["mean"] == pytest.approx(float(row["AverageReturn_all_test_tasks"]), rel=1e-6)
    assert result["iteration"] == 2
    assert result["seed"] == 7


def test_a_folder_of_the_reference_needs_its_weights_and_a_config(simulate, point_robot, tmp_path):
    ours, _ = simulated(simulate, point_robot, "--seed", 3)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("context_encoder", "policy", "qf1", "qf2", "vf", "target_vf"):
        shutil.copy(point_robot / f"{name}.pth", theirs)
    (theirs / "progress.csv").write_text("a,b\n1,2\n3,4\n")  # two iterations
    config = tmp_path / "point-robot.json"
    config.write_text((point_robot / "variant.json").read_text())
    again, _ = simulated(simulate, theirs, "--config", config, "--seed", 3)
    assert again["tasks"] == ours["tasks"]


def test_trajectories_are_counted_where_asked_to(simulate, point_robot):
    usual, _ = simulated(simulate, point_robot)
    more, output = simulated(simulate, point_robot, "--num_trajs", 5)
    assert [len(run) for task in more["tasks"] for run in task["returns"]] == [5] * 2
    assert [task["returns"][0][:3] for task in more["tasks"]] == [task["returns"][0] for task in usual["tasks"]]
    assert [entry["trajectory"] for entry in more["trajectories"]] == [1, 2, 3, 4, 5]
    entry = more["trajectories"][-1]
    assert entry["low"] <= entry["mean"] <= entry["high"]
    assert f"{entry['mean']:.2f}" in output
    assert more["last_trajectory"] == {key: value for key, value in entry.items() if key != "trajectory"}


def test_another_setting_of_the_evaluation(simulate, point_robot):
    settings = ["--set", "algo_params.num_evals=3", "--set", "algo_params.num_exp_traj_eval=2"]
    changed, _ = simulated(simulate, point_robot, *settings)
    assert [len(task["returns"]) for task in changed["tasks"]] == [3] * len(changed["tasks"])
    usual, _ = simulated(simulate, point_robot, "--set", "algo_params.num_evals=3")
    first, second = ([[run[:2] for run in task["returns"]] for task in each["tasks"]] for each in (changed, usual))
    assert [[run[0] for run in task] for task in first] == [[run[0] for run in task] for task in second]
    assert first != second  # the second trajectory still has the prior


def test_seeds_and_noise_change_the_numbers(simulate, point_robot):
    variants = [[], ["--seed", 8], ["--stochastic"], []]
    returns = [simulated(simulate, point_robot, *arguments)[0]["tasks"] for arguments in variants]
    assert returns[0] == returns[3]
    assert returns[0] != returns[1]
    assert returns[0] != returns[2]


def test_one_task_of_the_saved_set(simulate, point_robot):
    (point_robot / "versions.json").unlink()  # it would tell that the tasks are not those that the run wrote
    tasks = json.loads((point_robot / "tasks.json").read_text())
    tasks["tasks"][3]["goal"] = [1.0, 1.0]
    (point_robot / "tasks.json").write_text(json.dumps(tasks))
    corner, _ = simulated(simulate, point_robot, "--task", 3)
    assert [task["task"] for task in corner["tasks"]] == [3]
    assert corner["trajectories"][0]["low"] is None
    tasks["tasks"][3]["goal"] = [0.0, 0.0]
    (point_robot / "tasks.json").write_text(json.dumps(tasks))
    centre, _ = simulated(simulate, point_robot, "--task", 3)
    near, far = (np.mean(result["tasks"][0]["returns"]) for result in (centre, corner))
    assert near > far + 5  # 20 steps, on average 0.7 nearer


def test_films_show_every_step(simulate, point_robot):
    import imageio_ffmpeg

    result, _ = simulated(simulate, point_robot, "--video", "--task", 1)
    assert [film["file"] for film in result["films"]] == ["videos/task_1.mp4"]
    assert len(result["films"][0]["returns"]) == 3
    path = point_robot / "videos/task_1.mp4"
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == 3 * (20 + 1)


def test_a_gif_shows_the_trajectories_side_by_side(simulate, point_robot, tmp_path):
    path = tmp_path / "film.gif"
    simulated(simulate, point_robot, "--gif", path, "--task", 1)
    with Image.open(path) as film:
        assert (film.n_frames, film.width) == (20 + 1, 3 * 200)
        first = np.asarray(film.convert("RGB"))
        film.seek(20)
        last = np.asarray(film.convert("RGB"))
    assert path.stat().st_size < 1_000_000
    for trajectory in range(3):
        panel = slice(200 * trajectory, 200 * (trajectory + 1))
        assert (first[:, panel] != last[:, panel]).any()


def test_the_head_of_a_film_tells_trajectory_return_and_belief(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import torch

    from envs import make_env
    from rlkit.launchers import film
    from rlkit.torch.distributions import Belief

    heads = []
    env = make_env("sparse-point-robot", 1, tasks=[{"goal": [0.0, 0.0]}], render_mode="rgb_array")
    lane = film.FilmedLane(env, lambda trajectory, frame, lines: heads.append(lines), 4, sparse=True)
    lane.watch(0, 1, Belief(torch.tensor([[0.5, -1.0]]), torch.tensor([[4.0, 1.0]])))
    lane.reset(options={"reset_mask": np.zeros(1, dtype=bool)})  # seeding starts no episode
    assert heads == []
    lane.reset(options={"reset_mask": np.ones(1, dtype=bool)})
    lane.step(np.zeros((1, 2)))
    lane.step(np.zeros((1, 2)))
    belief = ["z mean: 0.50  -1.00", "z spread: 2.00  1.00"]
    assert heads == [[f"task 4, trajectory 2, return {total}", *belief] for total in ("0.00", "1.00", "2.00")]
    assert film.belief_lines(np.full(20, -2.0), np.full(20, 0.5)) == ["z mean, size: 2.00", "z spread, average: 0.50"]


def test_the_head_is_above_the_frame(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from rlkit.launchers.film import with_head

    frame = np.full((100, 360, 3), 77, dtype=np.uint8)
    picture = with_head(frame, ["one", "two"])
    assert picture.shape[0] % 2 == 0
    assert (picture[-100:] == 77).all()
    assert (picture[:-100] > 200).any()  # text


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["FOLDER/none"], "no such folder"),
        (["FOLDER"], "variant.json"),
        (["RUN", "--num_trajs", "1"], "variant.json: algo_params.num_exp_traj_eval"),
        (["RUN", "--set", "algo_params.num_evils=3"], "num_evals"),
        (["RUN", "--set", "latent_size=2"], "fc0.weight has shape"),
        (["RUN", "--gif", "x.gif"], "--gif: should come with --task"),
        (["RUN", "--task", "100"], "--task 100: should be one of the run's tasks 0..99"),
        (["RUN", "--config", "FOLDER/none.json"], "none.json"),
        (["RUN", "-o", "FOLDER/none/x.json"], "No such file"),
    ],
)
def test_wrong_input_is_one_line(simulate, point_robot, tmp_path, arguments, part):
    places = {"FOLDER": str(tmp_path), "RUN": str(point_robot)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert part in result.output
    assert result.output.splitlines()[-1].startswith("error: ")
