"""What tests of commands share: a config that takes a second, and the line that a refusal ends in."""


def tiny_config(**algo_params):
    """A config as JSON has it, `algo_params` changed."""
    sizes = {
        "num_iterations": 1,
        "num_initial_steps": 10,
        "num_steps_prior": 10,
        "num_extra_rl_steps_posterior": 0,
        "num_train_steps_per_itr": 1,
        "num_steps_per_eval": 20,
        "max_path_length": 10,
        "batch_size": 8,
        "embedding_batch_size": 8,
        "embedding_mini_batch_size": 8,
    }
    return {"env_name": "point-robot", "net_size": 8, "encoder_size": 8, "algo_params": {**sizes, **algo_params}}


def error_line(result):
    """What click's runner got from a command that refuses what it was given."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    return lines[0]
