"""Every switch trains a few steps on each kind of environment; adaptation uses the evaluation's own data alone."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from launch_experiment import main
from rlkit.config.files import debug_version, load_config
from rlkit.launchers.build import build

ROOT = Path(__file__).parent.parent
SMALL = ["net_size=16", "encoder_size=16", "algo_params.embedding_batch_size=32"]
SMALL += ["algo_params.embedding_mini_batch_size=32", "algo_params.max_path_length=20"]
SMALL += ["algo_params.num_steps_per_eval=60", "algo_params.num_exp_traj_eval=2"]
SWITCHES = {
    "RNN tran": ["algo_params.recurrent=true"],
    "RNN traj": ["algo_params.recurrent=true", "algo_params.context_sampling=trajectories"],
    "RNN pieces": ["algo_params.encoder=recurrent", "algo_params.embedding_mini_batch_size=8"],
    "attention": ["algo_params.encoder=attention"],
    "off-policy": ["algo_params.context_source=replay"],
    "RL batch": ["algo_params.context_source=rl_batch"],
    "deterministic": ["algo_params.use_information_bottleneck=false"],
    "twin Q": ["algo_params.critic=twin_q"],
    "temperature": ["algo_params.critic=twin_q", "algo_params.auto_alpha=true", "algo_params.kl_reduction=mean"],
    "deterministic RNN": ["algo_params.use_information_bottleneck=false", "algo_params.encoder=recurrent"],
}
KINDS = [
    "point-robot",
    "sparse-point-robot",
    pytest.param("walker-rand-params", marks=pytest.mark.slow),
]  # dense; sparse; episodes end early, next_obs


def overrides(settings):
    return [word for setting in settings for word in ("--set", setting)]


@pytest.mark.parametrize("env", KINDS)
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_trains(tmp_path, switch, env):
    output = f"util_params.base_log_dir={json.dumps(str(tmp_path))}"
    arguments = [str(ROOT / f"configs/{env}.json"), "--debug", "--cpu", "--seed", "3"]
    result = CliRunner().invoke(main, [*arguments, *overrides([*SMALL, *SWITCHES[switch], output])])
    assert result.exit_code == 0, result.output
    with (tmp_path / env / "debug/progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert ("KL Divergence" in rows[0]) == ("deterministic" not in switch)


@pytest.mark.parametrize("switch", SWITCHES)
def test_adaptation_uses_the_evaluations_own_transitions_alone(switch):
    """True before any training: whatever is in the buffers, an evaluation gives the same."""
    settings = [*SMALL, *SWITCHES[switch], "seed=5", "algo_params.num_train_steps_per_itr=1"]
    config = debug_version(load_config(ROOT / "configs/sparse-point-robot.json", settings))
    parts = build(config)
    algorithm = parts.algorithm
    next(iter(algorithm.train()))
    before = algorithm._evaluate(1)[:2]
    for buffer in (parts.experience.replay, parts.experience.recent):
        buffer._rows.fill_(1e6)
    after = algorithm._evaluate(1)[:2]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.returns, other.returns)
        np.testing.assert_array_equal(one.z_mean, other.z_mean)


def test_a_run_with_every_switch_resumes_exactly(tmp_path):
    """Episode bounds in the buffers, target critics and temperature come back with the rest."""
    switches = ["algo_params.encoder=recurrent", "algo_params.context_sampling=trajectories"]
    switches += ["algo_params.critic=twin_q", "algo_params.auto_alpha=true", "algo_params.context_source=replay"]
    switches += ["algo_params.num_trajs_per_eval=3", "algo_params.num_train_steps_per_itr=3"]
    switches += [*SMALL, "algo_params.num_initial_steps=40", "n_train_tasks=4", "util_params.plots=false"]
    switches += [f"util_params.base_log_dir={json.dumps(str(tmp_path))}"]

    def launch(*arguments):
        result = CliRunner().invoke(main, ["--cpu", *arguments])
        assert result.exit_code == 0, result.output

    def rows(name):
        with (tmp_path / f"point-robot/{name}/progress.csv").open() as file:
            return [{key: row[key] for key in row if "(s)" not in key} for row in csv.DictReader(file)]

    config = str(ROOT / "configs/point-robot.json")
    for name, iterations in (("whole", 4), ("resumed", 2)):
        settings = overrides([*switches, f"algo_params.num_iterations={iterations}"])
        launch(config, "--seed", "5", "--name", name, *settings)
    launch("--resume", str(tmp_path / "point-robot/resumed"), "--set", "algo_params.num_iterations=4")
    assert rows("resumed") == rows("whole")
    assert list(rows("whole")[0])[-3:-1] == ["Alpha", "Alpha Loss"]


def test_without_bottleneck_exploration_and_belief_are_deterministic():
    """z is 0 before any context, so that all runs begin alike from the same start; the belief has no spread."""
    settings = [*SMALL, "algo_params.use_information_bottleneck=false", "seed=5", "algo_params.num_evals=2"]
    config = load_config(ROOT / "configs/sparse-point-robot.json", settings)
    algorithm = build(config).algorithm
    with torch.no_grad():  # fresh output layers make every z 0
        algorithm._evaluator._agent.context_encoder.last_fc.weight.normal_(generator=torch.Generator().manual_seed(0))
    adaptation = algorithm._evaluator.adapt(np.array([80, 80, 90]))
    explored = [round_.paths.obs for round_ in adaptation.rounds if round_.number < 2]
    for obs in explored:
        np.testing.assert_array_equal(obs, np.broadcast_to(obs[:1], obs.shape))
    np.testing.assert_array_equal(explored[0], explored[1])
    assert not np.array_equal(adaptation.rounds[2].paths.obs[0], explored[0][0])  # z is the context's mean output
    assert (adaptation.z_var == 0).all()
    assert (adaptation.z_mean != 0).any()
