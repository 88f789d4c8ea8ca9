"""Whole runs on environments that others wrote."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import brought
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from gymnasium.spaces import Box

from launch_experiment import main
from rlkit.launchers.trained_agent import load_experiment
from rlkit.util.errors import UserError

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "n_train_tasks": 4,
    "n_eval_tasks": 2,
    "net_size": 16,
    "encoder_size": 16,
    "seed": 1,
    "env_params": {"n_tasks": 6},
    "algo_params": {
        "num_iterations": 6,
        "num_initial_steps": 20,
        "num_steps_prior": 20,
        "num_steps_posterior": 0,
        "num_extra_rl_steps_posterior": 20,
        "num_tasks_sample": 2,
        "num_train_steps_per_itr": 2,
        "meta_batch": 2,
        "batch_size": 8,
        "embedding_batch_size": 8,
        "embedding_mini_batch_size": 8,
        "num_evals": 1,
        "num_steps_per_eval": 30,
        "max_path_length": 10,
    },
    "util_params": {"use_gpu": False, "plots": False},
}


@pytest.fixture
def config(tmp_path):
    """`config(class_name, **changes)`: a tiny experiment's file."""

    def write(class_name, **env_params):
        util = {**SETTINGS["util_params"], "base_log_dir": str(tmp_path / "output")}
        env_params = {**SETTINGS["env_params"], **env_params}
        tree = {**SETTINGS, "env_name": f"brought:{class_name}", "util_params": util, "env_params": env_params}
        (tmp_path / "config.json").write_text(json.dumps(tree))
        return tmp_path / "config.json"

    return write


def launch(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def rows_of(folder):
    with (folder / "progress.csv").open() as file:
        return list(csv.DictReader(file))


def without_times(folder):
    return [{name: cell for name, cell in row.items() if "(s)" not in name} for row in rows_of(folder)]


@pytest.fixture
def _few_resets(monkeypatch):
    monkeypatch.setattr(brought.LateKeys, "resets", 0)


@pytest.mark.usefixtures("_few_resets")
def test_a_key_that_comes_late_makes_a_column_and_counts_0_before(config, tmp_path):
    result = launch(config("LateKeys"), "--name", "run")
    assert result.exit_code == 0, result.output
    successes = [float(row["Test success"]) for row in rows_of(tmp_path / "output/brought.LateKeys/run")]
    assert successes[0] == 0
    assert successes[-1] == 1


@pytest.mark.usefixtures("_few_resets")
def test_a_sparse_reward_may_be_given_only_where_it_is_not_zero(config, tmp_path):
    result = launch(config("LateKeys"), "--name", "run", "--set", "algo_params.sparse_rewards=true")
    assert result.exit_code == 0, result.output
    assert "brought:LateKeys: a first step gave no sparse_reward; where it is missing it counts 0" in result.output
    returns = [float(row["AverageReturn"]) for row in rows_of(tmp_path / "output/brought.LateKeys/run")]
    assert returns[0] == 0
    assert returns[-1] == 1


def test_a_divergence_is_counted_said_and_no_end_of_the_task(config, tmp_path):
    result = launch(config("Fragile"), "--name", "run")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "output/brought.Fragile/run"
    counts = [int(row["Number of diverged episodes"]) for row in rows_of(folder)]
    assert sum(counts) > 0
    for number, count in enumerate(counts):
        line = next(line for line in result.output.splitlines() if line.startswith(f"iteration {number + 1}/"))
        assert (f"| {count} episodes diverged" in line) == (count > 0)


@pytest.mark.parametrize("limit", [0.0, 1.05])
def test_a_run_most_of_whose_episodes_diverge_stops(config, limit):
    result = launch(config("Fragile", limit=limit), "--name", "run")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert result.output.splitlines()[-1].startswith("error: the simulation diverges: in 1")


@pytest.mark.parametrize(
    ("class_name", "what", "sparse"),
    [("Unpaid", "reward", "false"), ("UnpaidSparsely", "sparse_reward", "true")],
)
def test_a_reward_that_is_not_finite_stops_the_run(config, class_name, what, sparse):
    result = launch(config(class_name), "--name", "run", "--set", f"algo_params.sparse_rewards={sparse}")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(f"error: {what} not finite in task 0, step 1: ")


def end_of_a_run_of_processes(config_path, sent=None, to_all=False):
    """Exit code and output of a launcher whose copies are processes; returns when all of them are gone."""
    command = [sys.executable, str(ROOT / "launch_experiment.py"), str(config_path), "--name", "run"]
    iterations = "algo_params.num_iterations=" + ("2" if sent is None else "1000")
    process = subprocess.Popen(
        [*command, "--set", iterations],
        cwd=Path(__file__).parent,  # where the environment's module is
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,  # which every process of the run keeps open while it lives
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        if sent is not None:
            assert any(line.startswith("iteration 1/") for line in process.stdout)
            (os.killpg if to_all else os.kill)(process.pid, sent)
        output, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, output


@pytest.mark.parametrize(
    ("sent", "to_all", "code"),
    [
        (None, False, 0),
        (signal.SIGTERM, False, 0),
        (signal.SIGINT, False, 130),
        (signal.SIGINT, True, 130),  # a terminal sends it to all
        (signal.SIGKILL, False, -signal.SIGKILL),
    ],
)
def test_processes_of_copies_end_with_the_run(config, sent, to_all, code):
    ended, output = end_of_a_run_of_processes(config("Field", vectorization="async"), sent, to_all)
    assert ended == code, output
    if sent != signal.SIGKILL:
        assert "Traceback" not in output
        assert (f"stopped by {sent.name}; go on with" if sent else "results ") in output.splitlines()[-1]


def test_what_is_assumed_of_an_environment_is_said(config):
    result = launch(config("Boundless"), "--name", "run", "--set", "algo_params.num_iterations=1")
    assert result.exit_code == 0, result.output
    assert "Boundless: its action_space has no bounds: actions are within [-1, 1]" in result.output.splitlines()


def test_an_agent_in_python_acts_as_it_was_trained(config, tmp_path):
    assert launch(config("Field"), "--name", "run", "--set", "algo_params.num_iterations=1").exit_code == 0
    agent = load_experiment(tmp_path / "output/brought.Field/run")
    assert agent.action_space == Box(-3, 3, (1,), np.float64)
    half = load_experiment(tmp_path / "output/brought.Field/run", action_space=Box(0, 1, (1,)))
    obs, z = np.array([0.3]), np.ones(5, dtype=np.float32)
    within_one = agent.agent.actor()(torch.ones(1, 5), None)(np.array([[0.3]], dtype=np.float32))[0]
    np.testing.assert_allclose(agent.actor(z)(obs), 3 * within_one, rtol=1e-6)
    np.testing.assert_allclose(half.actor(z)(obs), (1 + within_one) / 2, rtol=1e-6)
    beliefs = [
        each.update(each.prior(), [(obs, action, -1.0, obs)]).mean
        for each, action in ((agent, [1.5]), (half, [0.75]), (agent, np.array([[1.5]])))
    ]
    np.testing.assert_array_equal(beliefs[0], beliefs[1])
    np.testing.assert_array_equal(beliefs[0], beliefs[2])
    np.testing.assert_array_equal(beliefs[0], agent.agent.posterior(np.array([[[0.3, 0.5, -1]]], "float32")).mean[0])


@pytest.mark.parametrize("saved", [[1, 2], [[-1, -1], [1, 1]], [[0], [None]], [[3], [-3]], "wide", {"low": 1}])
def test_a_damaged_range_of_actions_is_refused(config, tmp_path, saved):
    assert launch(config("Field"), "--name", "run", "--set", "algo_params.num_iterations=1").exit_code == 0
    path = tmp_path / "output/brought.Field/run/tasks.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "action_range": saved}))
    path.with_name("versions.json").unlink()  # as of a run without checksums
    with pytest.raises(UserError, match="action_range"):
        load_experiment(path.parent)
    path.unlink()
    assert load_experiment(path.parent).action_space == Box(-1, 1, (1,))  # as runs from before it was saved


def test_a_run_that_was_killed_behind_a_new_column_goes_on_with_the_same_bytes(config, tmp_path):
    result = launch(config("Reaching", width=0.2), "--name", "run", "--set", "util_params.keep_checkpoints=100")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "output/brought.Reaching/run"
    whole = without_times(folder)
    assert [float(row["Test success"]) > 0 for row in whole] == [False] * 5 + [True]
    for iterations in (5, 3, 1):  # complete ones, as the newest checkpoint has it
        for path in (folder / "checkpoints").iterdir():
            if int(path.stem) > iterations + 1:  # the first one is of before the first iteration
                path.unlink()
        (folder / "status.json").write_text(json.dumps({"state": "running", "iteration": 6}))  # as a kill leaves it
        result = launch("--resume", folder)
        assert result.exit_code == 0, result.output
        assert without_times(folder) == whole
