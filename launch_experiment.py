"""Train PEARL as a JSON config says: config -> environments, agent, buffers, sampler -> meta-training."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from rlkit.core.config import Config
from rlkit.core.config_files import debug_version, flat, load_config, resumed_config
from rlkit.core.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_WRONG_INPUT,
    NonFiniteError,
    RunError,
    StopRequested,
    UserError,
    one_line,
)
from rlkit.core.experiment import VARIANT_FILE, check_tasks, find_run

if TYPE_CHECKING:
    import torch

    from envs import MetaEnv, Task
    from rlkit.core.display import ConsoleDisplay
    from rlkit.core.logger import RunLogger
    from rlkit.core.rl_algorithm import MetaRLAlgorithm
    from rlkit.core.signals import StopSignal
    from rlkit.data_management.experience import Experience
    from rlkit.torch.sac.trainer import Trainer
    from rlkit.torch.sac.training_step import TrainingStep


class Parts(NamedTuple):
    """What a run is made of, as far as it is saved and restored."""

    algorithm: MetaRLAlgorithm
    trainer: Trainer
    training_step: TrainingStep
    experience: Experience
    tasks: list[Task]


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--gpu", type=click.IntRange(min=0), metavar="ID", help="CUDA device to train on.")
@click.option("--cpu", is_flag=True, help="Train on the CPU even if there is a GPU.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Fixes all random numbers (default: a new one).")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting, e.g. algo_params.meta_batch=8."
)
@click.option("--name", metavar="EXP_NAME", help="Name of the results' folder (default: date and time).")
@click.option("--debug", is_flag=True, help="A run of a few seconds into output/[ENV]/debug, replacing the last one.")
@click.option("--resume", metavar="EXP_DIR", help="Go on with a run, or with the 'latest'; no CONFIG.")
def main(
    config: Path | None,
    gpu: int | None,
    cpu: bool,
    seed: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    debug: bool,
    resume: str | None,
) -> None:
    """Parse the command line; wrong input ends in one line and exit code 2, a fault of the run in one and 1."""
    try:
        if cpu and gpu is not None:
            raise UserError("--cpu and --gpu exclude each other")
        settings = device_settings(gpu, cpu) | ({} if seed is None else {"seed": seed})
        if resume is not None:
            if config is not None or name is not None or debug:
                raise UserError("--resume takes the run's own config and folder: leave out CONFIG, --name, --debug")
            folder = find_run(resume)
            run(resume_config(folder, overrides, settings), folder=folder)
        elif config is None:
            raise UserError("which experiment? give a CONFIG, as configs/quickstart.json, or --resume EXP_DIR")
        else:
            run(new_config(config, overrides, settings, debug), name=name)
    except UserError as error:
        _end(f"error: {error}", EXIT_WRONG_INPUT)
    except RunError as error:
        _end(f"error: {error}", EXIT_FAILED)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        _end(f"error: {error.strerror or error}{place}; what was complete before is on disk", EXIT_FAILED)


def _end(line: str, code: int) -> None:
    click.echo(one_line(line), err=True)
    sys.exit(code)


def device_settings(gpu: int | None, cpu: bool) -> dict[str, object]:
    """Settings that --gpu and --cpu stand for."""
    if gpu is not None:
        return {"util_params.gpu_id": gpu, "util_params.use_gpu": True}
    return {"util_params.use_gpu": False} if cpu else {}


def new_config(path: Path, overrides: tuple[str, ...], settings: dict[str, object], debug: bool) -> Config:
    """The config with the command line's changes, and with a seed."""
    config = load_config(path, overrides, settings)
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbelow(2**32)})
    return debug_version(config) if debug or config.util_params.debug else config


def resume_config(folder: Path, overrides: tuple[str, ...], settings: dict[str, object]) -> Config:
    """The run's config with the changes that a run may have when it goes on."""
    saved = load_config(folder / VARIANT_FILE)
    config = resumed_config(saved, overrides, settings, str(folder))
    return config.model_copy(update={"path_to_weights": None})  # its own weights are further by now


def run(config: Config, *, name: str | None = None, folder: Path | None = None) -> None:
    """Build the parts, train, and show the result; with `folder`, go on with the run that is there."""
    from rlkit.core.display import ConsoleDisplay
    from rlkit.core.experiment import create_folder, describe_run
    from rlkit.core.lock import RunLock
    from rlkit.core.signals import StopSignal
    from rlkit.torch.pytorch_util import choose_device, explain_memory, prepare_device

    util = config.util_params
    display = ConsoleDisplay(config.algo_params.num_iterations)
    device = choose_device(util.use_gpu, util.gpu_id, display.say)
    prepare_device(device, util.precision, util.num_threads, display.say)
    with StopSignal() as stop, explain_memory():
        env, eval_env = make_envs(config), make_envs(config)
        parts = build_parts(config, env, eval_env, device, display, stop)
        is_new = folder is None
        folder = folder or create_folder(config, name)
        with RunLock(folder):
            if is_new:
                describe_run(folder, config, env.tasks, str(device))
            check_tasks(folder, env.tasks)
            try:
                train(config, parts, folder, display, is_new=is_new)
            except StopRequested:
                assert stop.received is not None, "only a signal asks to stop"
                code = EXIT_INTERRUPTED if stop.received == signal.SIGINT else 0
                how = f"go on with: launch_experiment.py --resume {folder}"
                if not config.util_params.checkpoint_interval:
                    how = "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"
                _end(f"stopped by {stop.received.name}; {how}", code)


def train(config: Config, parts: Parts, folder: Path, display: ConsoleDisplay, *, is_new: bool) -> None:
    """Run the iterations that are left, each of them on disk before the next one begins."""
    from rlkit.core.logger import RunLogger, has_finished
    from rlkit.core.saving import RunSaver
    from rlkit.torch.sac.builder import save_weights
    from rlkit.viz.pictures import evaluation_pictures
    from rlkit.viz.report import write_report

    algorithm, util = parts.algorithm, config.util_params
    saver = RunSaver(
        folder,
        util.keep_checkpoints,
        algorithm=algorithm,
        training=parts.training_step,
        experience=parts.experience,
    )
    place = None if is_new else saver.restore(display.say)
    done, wanted = algorithm.progress.iterations, config.algo_params.num_iterations
    if done > wanted or (done == wanted and has_finished(folder)):
        raise UserError(f"{folder} is complete: raise algo_params.num_iterations above {done} to go on")
    dump_paths = config.algo_params.dump_eval_paths
    draw = partial(evaluation_pictures, tasks=parts.tasks, num_prior=config.algo_params.num_exp_traj_eval)
    logger = RunLogger(folder, dump_eval_paths=dump_paths, draw=draw if util.plots else None, resume_at=place)
    with logger, display:
        progress = algorithm.progress
        display.go_on_from(progress.iterations, progress.train_steps, progress.env_steps)
        announce(config, folder, progress.iterations, display)
        if util.checkpoint_interval and place is None:
            saver.begin(logger.place)
        try:
            for result in algorithm.train():
                logger.write(result)
                save_weights(parts.trainer, folder)
                if util.checkpoint_interval and (result.number + 1) % util.checkpoint_interval == 0:
                    saver.save(logger.place)
                display.iteration_done(result.row)
                if util.video_interval and result.number % util.video_interval == 0:
                    film_iteration(config, folder, result.number, logger, display)
            logger.write_hyperparameters(flat(config.model_dump()))
        except StopRequested:
            if util.checkpoint_interval:
                saver.save(logger.place)
            raise
        except NonFiniteError as error:
            dump = logger.dump(error.arrays)
            step = algorithm.progress.train_steps + 1
            iteration = algorithm.progress.iterations + 1
            raise RunError(f"iteration {iteration}, gradient step {step}: {error}; its batch is in {dump}") from None
    display.summary(folder)
    for picture in write_report(folder) if util.plots else ():
        display.say(f"plot    {picture}")


def film_iteration(config: Config, folder: Path, number: int, logger: RunLogger, display: ConsoleDisplay) -> None:
    """Film an adaptation to the last test task with the weights on disk, for tensorboard and `videos/`.

    In a process of its own: drawing needs OpenGL, whose troubles are then not the run's.
    """
    from rlkit.viz.gif import gif_of

    task = config.env_params.n_tasks - 1
    script = Path(__file__).parent / "scripts" / "sim_policy.py"
    result_file = folder / "videos" / f"iteration_{number}.json"
    result_file.parent.mkdir(exist_ok=True)
    command = [sys.executable, str(script), str(folder), "--task", str(task), "--video", "--output", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        display.say(f"no film of iteration {number}: {done.stderr.strip()}")
        return
    film = (folder / "videos" / f"task_{task}.mp4").replace(folder / "videos" / f"iteration_{number}.mp4")
    logger.write_film(number, f"task_{task}", *gif_of(film))


def announce(config: Config, folder: Path, iterations: int, display: ConsoleDisplay) -> None:
    """Say what runs, and which tasks are shared."""
    place = f"{folder} after iteration {iterations}" if iterations else f"{folder}"
    display.say(f"{config.env_name}, seed {config.seed}: {place}")
    shared = config.n_train_tasks + config.n_eval_tasks - config.env_params.n_tasks
    if shared > 0:
        display.say(f"{shared} of the {config.n_eval_tasks} evaluation tasks are training tasks too")


def make_envs(config: Config) -> MetaEnv:
    """The task family with as many lanes as episodes can run side by side, within bounds."""
    from gymnasium.vector import AutoresetMode

    from envs import is_native, make_env
    from rlkit.core.lanes import lane_settings

    try:
        settings = lane_settings(config, simulated_together=is_native(config.env_name))
        env = make_env(config.env_name, autoreset_mode=AutoresetMode.DISABLED, **settings)
    except ValueError as error:
        raise UserError(f"{config.env_name}: {error}") from None
    if config.algo_params.sparse_rewards and not env.has_sparse_reward:
        raise UserError(
            f"algo_params.sparse_rewards: must be false, {config.env_name} gives no sparse reward, got true"
        )
    return env


def build_parts(
    config: Config,
    env: MetaEnv,
    eval_env: MetaEnv,
    device: torch.device,
    display: ConsoleDisplay,
    stop: StopSignal,
) -> Parts:
    """Put the parts together: the wiring of the whole program."""
    import numpy as np
    import torch

    from rlkit.core.evaluation import Evaluator
    from rlkit.core.rl_algorithm import MetaRLAlgorithm, TaskSplit
    from rlkit.core.seeding import Stream, stream_seed
    from rlkit.data_management.context import ContextSampler
    from rlkit.data_management.experience import Experience
    from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
    from rlkit.samplers.collector import Collector
    from rlkit.samplers.path_sampler import PathSampler
    from rlkit.torch.sac.builder import build_pearl
    from rlkit.torch.sac.training_step import TrainingStep

    assert config.seed is not None, "the launcher draws a seed where the config has none"
    algo, n_tasks = config.algo_params, config.env_params.n_tasks
    tasks = TaskSplit(np.array(config.train_tasks), np.array(config.test_tasks))
    init = torch.Generator().manual_seed(stream_seed(config.seed, Stream.NETWORKS))
    trainer = build_pearl(config, env.observation_dim, env.action_dim, device, init)
    collect_rng, train_rng, eval_rng = (torch.Generator(device) for _ in range(3))
    replay, encoder = (
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
    draw_context = ContextSampler(encoder if algo.context_source == "recent" else replay, algo)
    training_step = TrainingStep(
        trainer,
        replay,
        draw_context,
        tasks.train,
        algo,
        train_rng,
        precision=config.util_params.precision,
        use_graph=config.util_params.compile != "off",
        stop_on_nan=config.util_params.on_nan == "stop",
    )
    experience = Experience(replay, encoder)
    algorithm = MetaRLAlgorithm(
        algo,
        config.seed,
        tasks,
        collector=Collector(PathSampler(env, trainer.agent), trainer.agent, collect_rng),
        experience=experience,
        draw_context=draw_context,
        training_step=training_step,
        evaluator=Evaluator(PathSampler(eval_env, trainer.agent, record_terms=True), trainer.agent, eval_rng, algo),
        display=display,
        stop=stop,
    )
    return Parts(algorithm, trainer, training_step, experience, env.tasks)


if __name__ == "__main__":
    main()
