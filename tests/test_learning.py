"""Learning curves, in minutes: adaptation to unseen tasks beats what needs no knowledge of the task."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

import envs
from launch_experiment import main


def walk_to_the_centre(tasks, max_path_length=20):
    """Mean return on point-robot `tasks` of the best policy that knows nothing of its goal."""
    env = envs.make_env("point-robot", len(tasks), tasks=tasks, max_path_length=max_path_length)
    position, _ = env.reset(seed=0)
    total = np.zeros(len(tasks))
    for _ in range(max_path_length):
        position, reward, *_ = env.step(np.clip(-position / 0.1, -1, 1))
        total += reward
    return total.mean()


RECURRENT = ["algo_params.encoder=recurrent", "algo_params.context_sampling=trajectories"]


@pytest.mark.slow
@pytest.mark.parametrize(("num_iterations", "settings"), [(14, []), (12, RECURRENT)], ids=["mlp", "recurrent"])
def test_a_third_of_the_quickstart_adapts_to_unseen_goals(tmp_path, num_iterations, settings):
    arguments = ["configs/quickstart.json", "--cpu", "--seed", "0", "--name", "run"]
    arguments += ["--set", f"util_params.base_log_dir={json.dumps(str(tmp_path))}"]
    for setting in (f"algo_params.num_iterations={num_iterations}", *settings):
        arguments += ["--set", setting]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output

    folder = tmp_path / "point-robot/run"
    tasks = json.loads((folder / "tasks.json").read_text())
    assert not set(tasks["train_tasks"]) & set(tasks["eval_tasks"])
    unseen = [tasks["tasks"][index] for index in tasks["eval_tasks"]]
    with (folder / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    adapted = np.mean([float(row["AverageReturn_all_test_tasks"]) for row in rows[-3:]])
    explored = np.mean([float(row["Test Return Trajectory 1"]) for row in rows[-3:]])
    assert adapted > walk_to_the_centre(unseen) + 3
    assert adapted > explored + 3
