"""Whole runs of the command line, as a user types them."""

import csv
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from viz.viskit_rules import viskit_problems

from launch_experiment import main

ROOT = Path(__file__).parent.parent
ENVS = ["cheetah-dir", "cheetah-vel", "point-robot", "sparse-point-robot"]
ENDING_EARLY = ["ant-dir", "humanoid-dir", "walker-rand-params", "hopper-rand-params"]
ENVS += ["ant-goal", *ENDING_EARLY]
NETWORKS = ["context_encoder", "policy", "qf1", "qf2", "vf", "target_vf"]
STATISTICS = [
    f"{name} {statistic}"
    for name in ("Q Predictions", "V Predictions", "Log Pis", "Policy mu", "Policy log std")
    for statistic in ("Mean", "Std", "Max", "Min")
]
REFERENCE_COLUMNS = [
    *["Z mean train", "Z variance train", "KL Divergence", "KL Loss"],
    *["QF Loss", "VF Loss", "Policy Loss"],
    *STATISTICS,
    *["Z mean eval", "Z variance eval"],
    *["AverageTrainReturn_all_train_tasks", "AverageReturn_all_train_tasks", "AverageReturn_all_test_tasks"],
    *["Number of train steps total", "Number of env steps total", "Number of rollouts total"],
    *["Train Time (s)", "(Previous) Eval Time (s)", "Sample Time (s)", "Epoch Time (s)", "Total Train Time (s)"],
    "Epoch",
]


@pytest.fixture
def launch(tmp_path, place):
    """Run the launcher in this process; results go below tmp_path."""

    def launch(*arguments):
        output = f"util_params.base_log_dir={json.dumps(str(tmp_path / 'output'))}"
        always = [*place, "--set", output, "--set", "util_params.plots=false"]  # before what a test sets
        return CliRunner().invoke(main, [*always, *map(str, arguments)])

    return launch


def debug_run(launch, tmp_path, env, *arguments):
    result = launch(ROOT / f"configs/{env}.json", "--debug", "--seed", 7, *arguments)
    assert result.exit_code == 0, result.output
    return tmp_path / "output" / env / "debug"


def read_rows(folder):
    with (folder / "progress.csv").open() as file:
        return list(csv.DictReader(file))


def without_times(rows):
    return [{name: value for name, value in row.items() if "(s)" not in name} for row in rows]


@pytest.mark.parametrize("env", ENVS)
def test_a_debug_run_leaves_its_files(device, launch, tmp_path, env):
    folder = debug_run(launch, tmp_path, env)
    rows = read_rows(folder)
    assert [row["Epoch"] for row in rows] == ["0", "1"]
    columns = list(rows[0])
    assert columns[: len(REFERENCE_COLUMNS)] == REFERENCE_COLUMNS
    assert columns[len(REFERENCE_COLUMNS)] == "AverageReturn"
    assert columns[len(REFERENCE_COLUMNS) + 1].startswith("Test Return Trajectory 1")
    for row in rows:
        assert all(np.isfinite(float(value)) for value in row.values())
        assert row["AverageReturn"] == row["AverageReturn_all_test_tasks"]
        if env not in ENDING_EARLY:
            assert row["AverageReturn"] == row["Test Return Trajectory 3"]
        assert int(row["Number of rollouts total"]) > 0
    variant = json.loads((folder / "variant.json").read_text())
    assert variant["seed"] == 7
    assert variant["env_name"] == env
    tasks = json.loads((folder / "tasks.json").read_text())
    assert len(tasks["tasks"]) == variant["env_params"]["n_tasks"]
    assert len(tasks["train_tasks"]) == variant["n_train_tasks"]
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
    versions = json.loads((folder / "versions.json").read_text())
    assert (versions["torch"], versions["device"]) == (torch.__version__, str(device))
    assert list(folder.glob("events.out.tfevents.*"))
    assert "iteration 2/2" in (folder / "debug.log").read_text()
    for name in NETWORKS:
        assert torch.load(folder / f"{name}.pth", weights_only=True)


def test_tensorboard_shows_the_same_numbers(launch, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = debug_run(launch, tmp_path, "point-robot")
    events = EventAccumulator(str(folder))
    events.Reload()
    rows = read_rows(folder)
    shown = [event.value for event in events.Scalars("return/AverageReturn_all_test_tasks")]
    np.testing.assert_allclose(shown, [float(row["AverageReturn_all_test_tasks"]) for row in rows], rtol=1e-6)


def test_pictures_and_hyperparameters_are_drawn(launch, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = debug_run(launch, tmp_path, "point-robot", "--set", "util_params.plots=true")
    plots = {path.stem for path in (folder / "plots").glob("*.png")}
    assert {"learning_curve", "adaptation", "return_by_task", "losses", "belief", "trajectories"} <= plots
    events = EventAccumulator(str(folder))
    events.Reload()
    assert {"evaluation/adaptation", "evaluation/trajectories"} <= set(events.Tags()["images"])
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_films_are_made_every_so_many_iterations(launch, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = debug_run(launch, tmp_path, "point-robot", "--set", "util_params.video_interval=2")
    assert [path.name for path in (folder / "videos").glob("*.mp4")] == ["iteration_0.mp4"]
    events = EventAccumulator(str(folder))
    events.Reload()
    (film,) = events.Images("evaluation/task_99")
    assert film.encoded_image_string.startswith(b"GIF89a")


def test_viskit_reads_a_run(launch, tmp_path):
    assert viskit_problems(debug_run(launch, tmp_path, "point-robot")) == []


def test_the_same_seed_gives_the_same_rows_and_another_one_others(device, launch, tmp_path):
    first = without_times(read_rows(debug_run(launch, tmp_path, "cheetah-vel")))
    second = without_times(read_rows(debug_run(launch, tmp_path, "cheetah-vel")))
    assert first == second
    other = without_times(read_rows(debug_run(launch, tmp_path, "cheetah-vel", "--seed", 8)))
    assert first != other


def test_no_global_generator_is_touched(launch, tmp_path):
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()  # noqa: NPY002

    importlib.import_module("rich.style")  # draws from `random` when it is imported first
    before = states()
    debug_run(launch, tmp_path, "sparse-point-robot")
    assert states() == before


def test_weights_saved_by_one_run_start_another(device, launch, tmp_path):
    debug_run(launch, tmp_path, "point-robot")
    weights = (tmp_path / "output/point-robot/debug").rename(tmp_path / "weights")
    path = f"path_to_weights={json.dumps(str(weights))}"
    folder = debug_run(launch, tmp_path, "point-robot", "--set", path, "--set", "algo_params.policy_lr=1e-30")
    old, new = (torch.load(place / "policy.pth", weights_only=True) for place in (weights, folder))
    torch.testing.assert_close(new, old)
    target = torch.load(weights / "target_vf.pth", weights_only=True)
    value = torch.load(weights / "vf.pth", weights_only=True)
    assert not torch.equal(target["fc0.weight"], value["fc0.weight"])


def test_weights_of_another_shape_are_refused_with_both_shapes(launch, tmp_path):
    debug_run(launch, tmp_path, "point-robot")
    weights = (tmp_path / "output/point-robot/debug").rename(tmp_path / "weights")
    path = f"path_to_weights={json.dumps(str(weights))}"
    result = launch(ROOT / "configs/point-robot.json", "--debug", "--set", path, "--set", "net_size=16")
    assert result.exit_code == 2
    assert "policy.pth" in result.output
    assert "(300,)" in result.output
    assert "(16,)" in result.output
    assert not (tmp_path / "output").exists() or not list((tmp_path / "output").rglob("debug"))


def test_evaluation_paths_are_plain_arrays(launch, tmp_path):
    folder = debug_run(launch, tmp_path, "sparse-point-robot", "--set", "algo_params.dump_eval_paths=true")
    with np.load(folder / "eval_paths/test_1.npz", allow_pickle=False) as paths:
        rewards = paths["round2/sparse_reward"]
        assert rewards.shape == (len(paths["tasks"]), 20)
        np.testing.assert_allclose(rewards.sum(axis=1), paths["returns"][:, 2], rtol=1e-5)


def test_without_bottleneck_the_belief_columns_of_training_are_absent(launch, tmp_path):
    override = "algo_params.use_information_bottleneck=false"
    rows = read_rows(debug_run(launch, tmp_path, "sparse-point-robot", "--set", override))
    assert not {"Z mean train", "Z variance train", "KL Divergence", "KL Loss"} & rows[0].keys()
    assert float(rows[0]["Z variance eval"]) == 0


def test_context_in_pieces_trains(launch, tmp_path):
    rows = read_rows(debug_run(launch, tmp_path, "point-robot", "--set", "algo_params.embedding_mini_batch_size=16"))
    assert rows[-1]["Number of train steps total"] == "20"


def test_shared_tasks_are_said(launch, tmp_path):
    result = launch(ROOT / "configs/cheetah-dir.json", "--debug")
    assert "2 of the 2 evaluation tasks are training tasks too" in result.output


def test_a_missing_gpu_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = f"util_params.base_log_dir={json.dumps(str(tmp_path))}"
    result = CliRunner().invoke(
        main, [str(ROOT / "configs/point-robot.json"), "--debug", "--gpu", "0", "--set", output]
    )
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == "no CUDA device found: training on the CPU"


def test_folders_are_never_reused(launch, tmp_path):
    short = ["--set", "algo_params.num_iterations=1", "--set", "algo_params.num_train_steps_per_itr=1"]
    config = ROOT / "configs/quickstart.json"
    for _ in range(2):
        assert launch(config, *short).exit_code == 0
    assert launch(config, *short, "--name", "mine").exit_code == 0
    result = launch(config, *short, "--name", "mine")
    assert result.exit_code == 2
    assert "--name mine" in result.output
    folders = list((tmp_path / "output/point-robot").iterdir())
    assert len(folders) == 3
    assert all(len(read_rows(folder)) == 1 for folder in folders)


def test_a_strangers_folder_is_not_removed(launch, tmp_path):
    folder = tmp_path / "output/point-robot/debug"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("important")
    result = launch(ROOT / "configs/point-robot.json", "--debug")
    assert result.exit_code == 2
    assert (folder / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["configs/none.json"], ["configs/none.json", "No such file"]),
        (["configs/point-robot.json", "--set", "meta_batch=3"], ["'meta_batch'", "'algo_params.meta_batch'"]),
        (["configs/point-robot.json", "--set", "env_name=pont-robot"], ["pont-robot", "point-robot", "cheetah-vel"]),
        (["configs/point-robot.json", "--set", "env_params.n_task=3"], ["'n_task'", "'n_tasks'", "task_seed"]),
        (["configs/cheetah-dir.json", "--set", "env_params.n_tasks=3"], ["cheetah-dir", "n_tasks", "at most 2", "3"]),
        (["configs/point-robot.json", "--set", "algo_params.sparse_rewards=true"], ["sparse_rewards", "point-robot"]),
        (["configs/point-robot.json", "--set", "path_to_weights=nowhere"], ["path_to_weights", "nowhere"]),
        (["configs/point-robot.json", "--name", "a/b/c"], ["--name a/b/c", "or GROUP/NAME"]),
        (["configs/point-robot.json", "--name", "../b"], ["--name ../b", "or GROUP/NAME"]),
        (["configs/point-robot.json", "--gpu", "0"], ["--cpu", "--gpu"]),
        (["configs/point-robot.json", "--seed", "-1"], ["--seed", "-1"]),
        ([], ["CONFIG"]),
    ],
)
def test_wrong_input_is_one_clear_line_and_exit_code_2(launch, tmp_path, arguments, parts):
    result = launch(*arguments)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.rglob("progress.csv"))


def test_an_unwritable_place_is_named(launch, tmp_path):
    (tmp_path / "output").write_text("a file in the way")
    result = launch(ROOT / "configs/point-robot.json", "--debug")
    assert result.exit_code == 2
    assert "cannot write results" in result.output


@pytest.mark.parametrize(
    ("checkpoint_interval", "advice"),
    [
        (1, "go on with: launch_experiment.py --resume {folder}"),
        (0, "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"),
    ],
)
def test_control_c_keeps_the_finished_iterations(tmp_path, checkpoint_interval, advice):
    command = [sys.executable, "launch_experiment.py", "configs/quickstart.json", "--cpu", "--name", "run"]
    settings = [
        f"util_params.base_log_dir={tmp_path}",
        "algo_params.num_train_steps_per_itr=20",
        "algo_params.num_iterations=9999",
        f"util_params.checkpoint_interval={checkpoint_interval}",
    ]
    arguments = [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    progress = tmp_path / "point-robot/run/progress.csv"
    deadline = time.monotonic() + 60
    while not (progress.exists() and progress.read_text().count("\n") > 2):
        assert time.monotonic() < deadline, "no iteration finished"
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == f"stopped by SIGINT; {advice.format(folder=progress.parent)}"
    rows = read_rows(progress.parent)
    assert len(rows) >= 2
    assert all(None not in row.values() for row in rows)
    assert json.loads((progress.parent / "status.json").read_text())["state"] == "interrupted"


def test_help_is_quick_and_explains_the_options():
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    command = [sys.executable, "launch_experiment.py", "--help"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    for option in ("--gpu", "--cpu", "--seed", "--set", "--name", "--debug"):
        assert option in result.stdout
    assert " torch" not in result.stderr  # the slow imports wait until a run begins
    assert "mujoco" not in result.stderr
