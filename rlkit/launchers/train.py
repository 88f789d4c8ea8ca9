"""Training a config from start to end, or from where a run stopped: for the command line, sweeps and Python.

Imports of torch are in the functions: this module is imported before it is known that a run will start.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rlkit.config.files import flat
from rlkit.config.settings import Config
from rlkit.util.errors import NonFiniteError, RunError, StopRequested, UserError

if TYPE_CHECKING:
    from rlkit.core.rl_algorithm import IterationResult
    from rlkit.launchers.build import Parts
    from rlkit.launchers.display import ConsoleDisplay
    from rlkit.runs.folder import RunFolder

OnIteration = Callable[["IterationResult"], None]


def train(
    config: Config,
    *,
    name: str | None = None,
    resume: RunFolder | None = None,
    on_iteration: OnIteration | None = None,
) -> RunFolder:
    """Meta-train as `config` says.

    Args:
        config: the experiment; a seed is drawn where it has none.
        name: of the results' folder; None takes date and time.
        resume: a run to go on with, whose config `config` is (but for what may change, see `resumed_config`).
        on_iteration: is given each iteration's result when it is on disk.

    Returns:
        The run's folder.

    Raises:
        UserError: the config, or the folder to go on with, is not fit for it.
        RunError: the run cannot go on.
        StopRequested: SIGINT or SIGTERM came; the run can be resumed.
    """
    from envs.cpus import usable_cpus
    from rlkit.launchers.build import build
    from rlkit.launchers.display import ConsoleDisplay
    from rlkit.runs.folder import check_tasks, create_folder, describe_run
    from rlkit.runs.lock import RunLock
    from rlkit.torch.pytorch_util import choose_device, explain_memory, prepare_device
    from rlkit.util.signals import StopSignal

    config = with_seed(config)
    util = config.util_params
    display = ConsoleDisplay(config.algo_params.num_iterations)
    device = choose_device(util.use_gpu, util.gpu_id, display.say)
    prepare_device(device, util.precision, util.num_threads, usable_cpus(), display.say)
    with (
        StopSignal() as stop,
        explain_memory(),
        closing(build(config, device=device, display=display, stop=stop)) as parts,
    ):
        folder = resume or create_folder(config, name)
        with RunLock(folder.path):
            if resume is None:
                own = parts.envs[0].own_action_space
                describe_run(folder.path, config, parts.tasks, (own.low.tolist(), own.high.tolist()), str(device))
            check_tasks(folder.path, parts.tasks)
            _run(config, parts, folder.path, display, on_iteration, is_new=resume is None)
    return folder


def with_seed(config: Config) -> Config:
    """The config, with a seed of its own where it has none."""
    return config if config.seed is not None else config.model_copy(update={"seed": secrets.randbelow(2**32)})


def _run(
    config: Config,
    parts: Parts,
    folder: Path,
    display: ConsoleDisplay,
    on_iteration: OnIteration | None,
    *,
    is_new: bool,
) -> None:
    """Run the iterations that are left, each of them on disk before the next one begins."""
    from rlkit.launchers.film import film_iteration
    from rlkit.runs.logger import RunLogger, has_finished
    from rlkit.runs.saving import RunSaver
    from rlkit.torch.pytorch_util import gpu_failure
    from rlkit.torch.sac.weights import save_weights
    from rlkit.viz.pictures import evaluation_pictures
    from rlkit.viz.report import write_report

    algorithm, util = parts.algorithm, config.util_params
    saver = RunSaver(
        folder,
        util.keep_checkpoints,
        algorithm=algorithm,
        training=parts.training,
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
        _announce(config, folder, progress.iterations, display)
        if util.checkpoint_interval and place is None:
            saver.begin(logger.place)
        try:
            for result in algorithm.train():
                logger.write(result)
                save_weights(parts.trainer, folder)
                if util.checkpoint_interval and result.number % util.checkpoint_interval == 0:
                    saver.save(logger.place)
                display.iteration_done(result.row)
                if util.video_interval and result.epoch % util.video_interval == 0:
                    film_iteration(config, folder, result.epoch, logger, display)
                if on_iteration is not None:
                    on_iteration(result)
            logger.write_hyperparameters(flat(config.model_dump()))
        except StopRequested as stop:
            if util.checkpoint_interval:
                saver.save(logger.place)
            stop.folder = folder
            raise
        except NonFiniteError as error:
            dump = logger.dump(error.arrays)
            step = algorithm.progress.train_steps + 1
            iteration = algorithm.progress.iterations + 1
            raise RunError(f"iteration {iteration}, gradient step {step}: {error}; its batch is in {dump}") from None
        except RuntimeError as error:
            failure = gpu_failure(error)
            if failure is None:
                raise
            how = f"go on from the last checkpoint, on another device with --cpu or --gpu ID: --resume {folder}"
            if not util.checkpoint_interval:
                how = "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"
            raise RunError(f"the GPU failed ({failure}); {how}") from None
    display.summary(folder)
    for picture in write_report(folder) if util.plots else ():
        display.say(f"plot    {picture}")


def _announce(config: Config, folder: Path, iterations: int, display: ConsoleDisplay) -> None:
    """Say what runs, and which tasks are shared."""
    place = f"{folder} after iteration {iterations}" if iterations else f"{folder}"
    display.say(f"{config.env_name}, seed {config.seed}: {place}")
    shared = config.n_train_tasks + config.n_eval_tasks - config.env_params.n_tasks
    if shared > 0:
        display.say(f"{shared} of the {config.n_eval_tasks} evaluation tasks are training tasks too")
