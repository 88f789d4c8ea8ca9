"""The reference's config files, as facts: they load unchanged, mean what this project's configs mean, and run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from launch_experiment import main
from rlkit.config.files import load_config

ROOT = Path(__file__).parent.parent
CHEETAH_VEL = {"num_extra_rl_steps_posterior": 600, "num_evals": 1, "num_exp_traj_eval": 2}
REFERENCE = {  # name: training tasks, evaluation tasks, tasks, what differs from the defaults
    "cheetah-dir": (2, 2, 2, {
        "meta_batch": 4, "num_steps_prior": 1000, "num_extra_rl_steps_posterior": 1000, "num_evals": 4,
        "num_exp_traj_eval": 2, "embedding_batch_size": 256, "embedding_mini_batch_size": 256,
    }),
    "cheetah-vel": (100, 30, 130, {
        **CHEETAH_VEL, "embedding_batch_size": 100, "embedding_mini_batch_size": 100,
    }),
    "ant-dir": (2, 2, 2, {
        "meta_batch": 4, "num_extra_rl_steps_posterior": 600, "num_train_steps_per_itr": 4000, "num_evals": 4,
        "num_exp_traj_eval": 2, "embedding_batch_size": 256, "embedding_mini_batch_size": 256,
    }),
    "ant-goal": (150, 30, 180, {
        **CHEETAH_VEL, "meta_batch": 10, "num_train_steps_per_itr": 4000,
        "embedding_batch_size": 256, "embedding_mini_batch_size": 256, "kl_lambda": 1.0,
    }),
    "humanoid-dir": (100, 30, 130, {
        **CHEETAH_VEL, "num_train_steps_per_itr": 4000,
        "embedding_batch_size": 256, "embedding_mini_batch_size": 256,
    }),
    "walker-rand-params": (40, 10, 50, {
        "use_next_obs_in_context": True, "meta_batch": 10, "num_extra_rl_steps_posterior": 600,
        "num_train_steps_per_itr": 4000, "num_exp_traj_eval": 2,
        "embedding_batch_size": 100, "embedding_mini_batch_size": 100,
    }),
    "point-robot": (80, 20, 100, {
        "num_initial_steps": 200, "num_steps_prior": 200, "num_extra_rl_steps_posterior": 200,
        "num_train_steps_per_itr": 1000, "num_steps_per_eval": 60, "max_path_length": 20, "reward_scale": 100.0,
    }),
    "sparse-point-robot": (80, 20, 100, {
        "num_initial_steps": 200, "num_tasks_sample": 10, "num_steps_prior": 100, "num_steps_posterior": 900,
        "num_extra_rl_steps_posterior": 0, "num_train_steps_per_itr": 1000, "num_steps_per_eval": 400,
        "embedding_batch_size": 1024, "embedding_mini_batch_size": 1024, "max_path_length": 20, "discount": 0.9,
        "reward_scale": 100.0, "sparse_rewards": 1, "kl_lambda": 1.0, "num_exp_traj_eval": 5,
    }),
}  # fmt: skip


@pytest.fixture
def reference_file(tmp_path):
    """Writes a config as the reference's file states it."""

    def write(name):
        num_train, num_eval, num_tasks, algo = REFERENCE[name]
        path = tmp_path / f"{name}.json"
        tree = {
            "env_name": name,
            "n_train_tasks": num_train,
            "n_eval_tasks": num_eval,
            "env_params": {"n_tasks": num_tasks, "randomize_tasks": True},
            "algo_params": algo,
        }
        path.write_text(json.dumps(tree))
        return path

    return write


@pytest.mark.parametrize("name", REFERENCE)
def test_it_means_what_our_config_means(reference_file, name):
    theirs, ours = load_config(reference_file(name)), load_config(ROOT / f"configs/{name}.json")
    if name == "ant-dir":  # ours is the paper's domain: forward and backward
        ours = ours.model_copy(update={"env_params": theirs.env_params})
    assert theirs == ours


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cheetah-vel", "walker-rand-params", "sparse-point-robot"])
def test_it_runs_and_leaves_the_references_files(reference_file, tmp_path, name):
    output = f"util_params.base_log_dir={json.dumps(str(tmp_path / 'output'))}"
    result = CliRunner().invoke(main, [str(reference_file(name)), "--debug", "--cpu", "--set", output])
    assert result.exit_code == 0, result.output
    left = {path.name for path in (tmp_path / "output" / name / "debug").iterdir()}
    weights = {f"{net}.pth" for net in ("context_encoder", "policy", "qf1", "qf2", "vf", "target_vf")}
    assert left >= weights | {"progress.csv", "variant.json", "debug.log"}
