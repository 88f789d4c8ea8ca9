"""Train PEARL as a JSON config says: config -> environments, agent, buffers, sampler -> meta-training."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlkit.core.config import Config, debug_version, load_config
from rlkit.core.errors import UserError

if TYPE_CHECKING:
    import torch

    from envs import MetaEnv
    from rlkit.core.display import ConsoleDisplay
    from rlkit.core.rl_algorithm import MetaRLAlgorithm
    from rlkit.torch.sac.pearl import PEARLTrainer

MAX_LANES = 128  # episodes that run side by side; more fit, but gain nothing and cost memory
MAX_COPIES = 16  # the same for environments that are not simulated together, of which each lane is a copy
EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 2, 130


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--gpu", type=click.IntRange(min=0), metavar="ID", help="CUDA device to train on (default: the config's)."
)
@click.option("--cpu", is_flag=True, help="Train on the CPU even if there is a GPU.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Fixes all random numbers (default: a new one).")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting, e.g. algo_params.meta_batch=8."
)
@click.option("--name", metavar="EXP_NAME", help="Name of the results' folder (default: date and time).")
@click.option("--debug", is_flag=True, help="A run of a few seconds into output/[ENV]/debug, replacing the last one.")
def main(
    config: Path,
    gpu: int | None,
    cpu: bool,
    seed: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    debug: bool,
) -> None:
    """Parse the command line; wrong input ends in one line and exit code 2."""
    try:
        if cpu and gpu is not None:
            raise UserError("--cpu and --gpu exclude each other")
        resolved = resolve_config(config, gpu, cpu, seed, overrides, debug)
        run(resolved, name)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_WRONG_INPUT)
    except KeyboardInterrupt:
        click.echo("interrupted: all finished iterations are on disk", err=True)
        sys.exit(EXIT_INTERRUPTED)


def resolve_config(
    path: Path, gpu: int | None, cpu: bool, seed: int | None, overrides: tuple[str, ...], debug: bool
) -> Config:
    """The config with the command line's changes, and with a seed."""
    settings: dict[str, object] = {}
    if gpu is not None:
        settings |= {"util_params.gpu_id": gpu, "util_params.use_gpu": True}
    if cpu:
        settings["util_params.use_gpu"] = False
    if seed is not None:
        settings["seed"] = seed
    config = load_config(path, overrides, settings)
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbelow(2**32)})
    return debug_version(config) if debug or config.util_params.debug else config


def run(config: Config, name: str | None) -> None:
    """Build the parts, train, and show the result."""
    from rlkit.core.display import ConsoleDisplay
    from rlkit.core.experiment import create_folder, describe_run
    from rlkit.core.logger import RunLogger
    from rlkit.torch.pytorch_util import choose_device, prepare_device
    from rlkit.torch.sac.builder import save_weights

    display = ConsoleDisplay(config.algo_params.num_iterations)
    device = choose_device(config.util_params.use_gpu, config.util_params.gpu_id, display.say)
    util = config.util_params
    prepare_device(device, util.precision, util.num_threads, display.say)
    env, eval_env = make_envs(config), make_envs(config)
    algorithm, trainer = build_algorithm(config, env, eval_env, device, display)

    folder = create_folder(config, name)
    describe_run(folder, config, env.tasks, str(device))
    with RunLogger(folder, dump_eval_paths=config.algo_params.dump_eval_paths) as logger, display:
        display.say(f"{config.env_name}, seed {config.seed}, on {device}: {folder}")
        if config.n_train_tasks + config.n_eval_tasks > config.env_params.n_tasks:
            shared = config.n_train_tasks + config.n_eval_tasks - config.env_params.n_tasks
            display.say(f"{shared} of the {config.n_eval_tasks} evaluation tasks are training tasks too")
        first_row = row = None
        for result in algorithm.train():
            logger.write(result)
            save_weights(trainer, folder)
            row = result.row
            first_row = first_row or row
            display.iteration_done(row)
    assert first_row is not None
    assert row is not None
    display.summary(first_row, row, folder)


def make_envs(config: Config) -> MetaEnv:
    """The task family with as many lanes as episodes can run side by side, at most MAX_LANES."""
    from gymnasium.vector import AutoresetMode

    from envs import is_native, make_env

    algo = config.algo_params
    episodes = max(
        config.n_train_tasks * -(-algo.num_initial_steps // algo.max_path_length),
        config.n_eval_tasks * max(algo.num_evals, -(-algo.num_steps_per_eval // algo.max_path_length)),
    )
    sys.path.insert(0, "")  # "module:Class" may be a file of the folder one launches from
    params = config.env_params.model_dump()
    if config.util_params.num_threads:
        params["num_threads"] = config.util_params.num_threads
    try:
        env = make_env(
            config.env_name,
            min(episodes, MAX_LANES if is_native(config.env_name) else MAX_COPIES),
            max_path_length=algo.max_path_length,
            autoreset_mode=AutoresetMode.DISABLED,
            **params,
        )
    except ValueError as error:
        raise UserError(f"{config.env_name}: {error}") from None
    if algo.sparse_rewards and not env.has_sparse_reward:
        raise UserError(
            f"algo_params.sparse_rewards: must be false, {config.env_name} gives no sparse reward, got true"
        )
    return env


def build_algorithm(
    config: Config, env: MetaEnv, eval_env: MetaEnv, device: torch.device, display: ConsoleDisplay
) -> tuple[MetaRLAlgorithm, PEARLTrainer]:
    """Put the parts together: the wiring of the whole program."""
    import numpy as np
    import torch

    from rlkit.core.evaluation import Evaluator
    from rlkit.core.rl_algorithm import MetaRLAlgorithm, TaskSplit
    from rlkit.core.seeding import Stream, stream_seed
    from rlkit.data_management.context import ContextSampler
    from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
    from rlkit.samplers.collector import Collector
    from rlkit.samplers.path_sampler import PathSampler
    from rlkit.torch.sac.builder import build_pearl
    from rlkit.torch.sac.training_step import TrainingStep

    assert config.seed is not None, "the launcher draws a seed where the config has none"
    algo, n_tasks = config.algo_params, config.env_params.n_tasks
    tasks = TaskSplit(np.arange(config.n_train_tasks), np.arange(n_tasks - config.n_eval_tasks, n_tasks))
    init = torch.Generator().manual_seed(stream_seed(config.seed, Stream.NETWORKS))
    trainer = build_pearl(config, env.observation_dim, env.action_dim, device, init)
    collect_rng, train_rng, eval_rng = (torch.Generator(device) for _ in range(3))
    replay_buffer, encoder_buffer = (
        MultiTaskReplayBuffer(
            n_tasks,
            env.observation_dim,
            env.action_dim,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=env.has_sparse_reward,
            device=device,
        )
        for _ in range(2)
    )
    if config.util_params.compile == "on":
        trainer.compile()
    draw_context = ContextSampler(encoder_buffer if algo.context_source == "recent" else replay_buffer, algo)
    algorithm = MetaRLAlgorithm(
        algo,
        config.seed,
        tasks,
        collector=Collector(PathSampler(env, trainer.agent), trainer.agent, collect_rng),
        replay_buffer=replay_buffer,
        encoder_buffer=encoder_buffer,
        draw_context=draw_context,
        training_step=TrainingStep(
            trainer,
            replay_buffer,
            draw_context,
            tasks.train,
            algo,
            train_rng,
            precision=config.util_params.precision,
            use_graph=config.util_params.compile != "off",
        ),
        evaluator=Evaluator(PathSampler(eval_env, trainer.agent, record_terms=True), trainer.agent, eval_rng, algo),
        display=display,
    )
    return algorithm, trainer


if __name__ == "__main__":
    main()
