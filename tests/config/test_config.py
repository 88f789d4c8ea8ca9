import json

import pytest

from rlkit.config.files import debug_version, load_config
from rlkit.util.errors import UserError

# The reference's file for the sparse point robot, `1` for true included.
REFERENCE_SPARSE = {
    "env_name": "sparse-point-robot",
    "n_train_tasks": 80,
    "n_eval_tasks": 20,
    "env_params": {"n_tasks": 100},
    "algo_params": {
        "num_initial_steps": 200,
        "num_tasks_sample": 10,
        "num_steps_prior": 100,
        "num_steps_posterior": 900,
        "num_extra_rl_steps_posterior": 0,
        "num_train_steps_per_itr": 1000,
        "num_steps_per_eval": 400,
        "embedding_batch_size": 1024,
        "embedding_mini_batch_size": 1024,
        "max_path_length": 20,
        "discount": 0.90,
        "reward_scale": 100.0,
        "sparse_rewards": 1,
        "kl_lambda": 1.0,
        "num_exp_traj_eval": 5,
    },
}


@pytest.fixture
def write(tmp_path):
    def write(tree, name="config.json"):
        path = tmp_path / name
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return path

    return write


def error_of(path, overrides=()):
    with pytest.raises(UserError) as error:
        load_config(path, overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_defaults_are_the_references(write):
    config = load_config(write({"env_name": "cheetah-dir"}))
    algo = config.algo_params
    assert (config.n_train_tasks, config.n_eval_tasks, config.latent_size, config.net_size) == (2, 2, 5, 300)
    assert (config.env_params.n_tasks, config.env_params.randomize_tasks) == (2, True)
    assert (algo.meta_batch, algo.num_iterations, algo.num_initial_steps, algo.num_tasks_sample) == (16, 500, 2000, 5)
    assert (algo.num_steps_prior, algo.num_steps_posterior, algo.num_extra_rl_steps_posterior) == (400, 0, 400)
    assert (algo.num_train_steps_per_itr, algo.num_evals, algo.num_steps_per_eval) == (2000, 2, 600)
    assert (algo.batch_size, algo.embedding_batch_size, algo.embedding_mini_batch_size) == (256, 64, 64)
    assert (algo.max_path_length, algo.discount, algo.soft_target_tau, algo.reward_scale) == (200, 0.99, 0.005, 5)
    assert algo.policy_lr == algo.qf_lr == algo.vf_lr == algo.context_lr == 3e-4
    assert (algo.kl_lambda, algo.update_post_train, algo.num_exp_traj_eval) == (0.1, 1, 1)
    assert (algo.sparse_rewards, algo.use_information_bottleneck, algo.recurrent) == (False, True, False)
    assert (algo.use_next_obs_in_context, algo.dump_eval_paths, algo.replay_buffer_size) == (False, False, 10**6)
    util = config.util_params
    assert (util.base_log_dir, util.use_gpu, util.gpu_id, util.debug, util.docker) == (
        "output",
        True,
        0,
        False,
        False,
    )
    assert config.path_to_weights is None


def test_the_references_own_file_and_ours_are_the_same(write):
    theirs = load_config(write(REFERENCE_SPARSE))
    assert theirs.algo_params.sparse_rewards is True
    assert theirs == load_config("configs/sparse-point-robot.json")


def test_a_resolved_config_is_a_config(write):
    config = load_config(write(REFERENCE_SPARSE))
    assert load_config(write(config.model_dump(), "variant.json")) == config


def test_a_base_is_read_first_and_sections_are_merged(write):
    write({"env_name": "point-robot", "net_size": 64, "algo_params": {"discount": 0.9, "meta_batch": 4}}, "a.json")
    write({"base": "a.json", "algo_params": {"meta_batch": 8}}, "b.json")
    config = load_config(write({"base": "b.json", "net_size": 32}))
    assert (config.env_name, config.net_size) == ("point-robot", 32)
    assert (config.algo_params.discount, config.algo_params.meta_batch) == (0.9, 8)


def test_a_familys_own_parameters_are_kept(write):
    config = load_config(write({"env_name": "ant-dir", "env_params": {"forward_backward": True}}))
    assert config.env_params.model_dump()["forward_backward"] is True


def test_overrides_are_json_or_text(write):
    path = write({"env_name": "point-robot"})
    config = load_config(
        path, ["algo_params.meta_batch=3", "util_params.base_log_dir=x=y", "algo_params.sparse_rewards=true"]
    )
    assert config.algo_params.meta_batch == 3
    assert config.util_params.base_log_dir == "x=y"
    assert config.algo_params.sparse_rewards is True


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("algo_params.meta_bach=3", ["algo_params.meta_bach", "'algo_params.meta_batch'"]),
        ("meta_batch=3", ["'meta_batch'", "'algo_params.meta_batch'"]),
        ("env_params.num_threads=3", ["env_params", "'num_threads'", "util_params.num_threads"]),
        ("algo_params.meta_batch=many", ["algo_params.meta_batch", "number", '"many"']),
        ('algo_params.meta_batch="16"', ["algo_params.meta_batch", "number", '"16"']),
        ("algo_params.meta_batch=true", ["algo_params.meta_batch", "number", "true"]),
        ("algo_params.meta_batch=2.5", ["algo_params.meta_batch", "2.5"]),
        ("algo_params.meta_batch=0", ["algo_params.meta_batch", "greater than or equal to 1", "0"]),
        ("algo_params.sparse_rewards=2", ["algo_params.sparse_rewards", "2"]),
        ("algo_params.discount=1.5", ["algo_params.discount", "less than or equal to 1", "1.5"]),
        ("algo_params.discount=NaN", ["algo_params.discount", "finite", "NaN"]),
        ("algo_params.qf_lr=0", ["algo_params.qf_lr", "greater than 0"]),
        ("algo_params=3", ["algo_params", "3"]),
        ("env_name=null", ["env_name", "null"]),
        ("n_train_tasks=3", ["n_train_tasks", "env_params.n_tasks = 2", "got 3"]),
        ("n_eval_tasks=3", ["n_eval_tasks", "env_params.n_tasks = 2", "got 3"]),
        (
            "algo_params.num_exp_traj_eval=3",
            ["num_exp_traj_eval", "3 trajectories", "never uses the posterior", "got 3"],
        ),
        ("algo_params.num_steps_per_eval=100", ["num_exp_traj_eval", "1 trajectories", "got 1"]),
        ("algo_params.num_trajs_per_eval=1", ["num_exp_traj_eval", "1 trajectories", "num_trajs_per_eval", "got 1"]),
        ("algo_params.embedding_batch_size=100", ["embedding_batch_size", "multiple", "64", "got 100"]),
        ("algo_params.num_steps_prior=0", ["num_steps_prior", "above 0", "got 0"]),
        ("algo_params.encoder=lstm", ["algo_params.encoder", "'recurrent'", "lstm"]),
        (
            "algo_params.context_source=rl_batch algo_params.context_sampling=trajectories",
            ["context_sampling", "rl_batch"],
        ),
        ("algo_params.context_source=rl_batch algo_params.batch_size=32", ["embedding_batch_size", "= 32", "got 64"]),
        (
            "algo_params.context_source=rl_batch algo_params.embedding_mini_batch_size=32",
            ["embedding_mini_batch_size", "embedding_batch_size = 64", "got 32"],
        ),
        ("algo_params.recurrent=1 algo_params.encoder=mlp", ["algo_params.recurrent", '"recurrent"', '"mlp"']),
        ("algo_params.auto_alpha=true", ["auto_alpha", '"twin_q"', '"v"']),
        ("algo_params.target_entropy=-2", ["target_entropy", "auto_alpha", "got -2"]),
        ("algo_params.target_entropy=NaN", ["target_entropy", "NaN"]),
        (
            "algo_params.num_step_returns=3 algo_params.context_source=replay",
            ["num_step_returns", '"recent"', "got 3"],
        ),
        ("algo_params.num_step_returns=0", ["num_step_returns", "0"]),
        ("algo_params.encoder=attention encoder_size=30", ["encoder_size", "multiple of 4", "got 30"]),
        ("seed=-1", ["seed", "-1"]),
        ("net_size", ["--set net_size", "dotted.key=value"]),
        ("env_name.x=3", ["--set env_name.x", "not a group"]),
    ],
)
def test_a_wrong_setting_names_key_value_and_rule(write, override, parts):
    message = error_of(write({"env_name": "point-robot"}), override.split(" "))
    for part in parts:
        assert part in message, message


def test_the_references_switch_means_the_recurrent_encoder(write):
    config = load_config(write({"env_name": "point-robot", "algo_params": {"recurrent": True}}))
    assert config.algo_params.encoder == "recurrent"
    assert load_config(write(config.model_dump(), "variant.json")) == config


def test_context_may_be_cleared_where_it_is_not_read(write):
    path = write({"env_name": "point-robot", "algo_params": {"num_steps_prior": 0, "context_source": "replay"}})
    assert load_config(path).algo_params.num_steps_prior == 0


def test_a_debug_version_keeps_the_context_within_the_batch(write):
    path = write({"env_name": "point-robot", "algo_params": {"context_source": "rl_batch"}})
    algo = debug_version(load_config(path)).algo_params
    assert algo.embedding_batch_size == algo.embedding_mini_batch_size == algo.batch_size == 32


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "not valid JSON"),
        ("[1]", "JSON object"),
        ("{}", "'env_name' is missing"),
        ('{"env_name": "x", "base": 3}', "base"),
        ('{"env_name": "x", "base": "a\\u0000b"}', "base"),
        ('{"env_name": "x", "base": "a\\ud800b"}', "base"),
        ('{"env_name": "x", "path_to_weights": "a\\u0000b"}', "path_to_weights"),
        ('{"env_name": "x", "util_params": {"base_log_dir": "a\\ud800b"}}', "base_log_dir"),
        ('{"env_name": "x", "base": "nowhere.json"}', "nowhere.json"),
        ('{"base": "config.json"}', "circle"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_broken_file_is_named(write, text, part):
    path = write(text)
    message = error_of(path)
    assert part in message
    assert "config.json" in message or "nowhere.json" in message


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "no.json: No such file" in error_of(tmp_path / "no.json")
    assert "Is a directory" in error_of(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{")
    assert "not UTF-8" in error_of(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["cheetah-vel", "cheetah-dir", "sparse-point-robot"])
def test_a_debug_version_is_small_and_valid(name):
    config = debug_version(load_config(f"configs/{name}.json"))
    assert config.util_params.debug
    assert config.algo_params.num_iterations == 2
    assert config.algo_params.num_train_steps_per_itr <= 10
