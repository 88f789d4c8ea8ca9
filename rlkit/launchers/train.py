"""Training a config from start to end, or from where a run stopped: for the command line, sweeps and Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from envs.cpus import usable_cpus
from rlkit.config.files import checked_resume, flat, with_seed
from rlkit.config.settings import Config
from rlkit.core.rl_algorithm import IterationResult, MetaRLAlgorithm
from rlkit.launchers.build import Parts, build
from rlkit.launchers.display import ConsoleDisplay
from rlkit.launchers.film import film_iteration
from rlkit.runs.checkpoint import CheckpointStore
from rlkit.runs.folder import RunFolder, create_folder, describe_run, find_run
from rlkit.runs.lock import locked
from rlkit.runs.logger import LOG_FILE, RunLogger
from rlkit.runs.saving import RunSaver
from rlkit.torch import pytorch_util
from rlkit.torch.sac.weights import save_weights
from rlkit.util.errors import NonFiniteError, RunError, StopRequested, UserError
from rlkit.util.signals import StopSignal
from rlkit.viz.report import evaluation_pictures, write_report

OnIteration = Callable[[IterationResult], None]
NO_CHECKPOINTS = "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"


def train(
    config: Config,
    *,
    name: str | None = None,
    resume: RunFolder | Path | str | None = None,
    on_iteration: OnIteration | None = None,
) -> RunFolder:
    """Meta-train as `config` says. What is changed of the process, as torch's threads, is put back at the end.

    Args:
        config: the experiment; a seed is drawn where it has none.
        name: of the results' folder; None takes date and time.
        resume: the folder of a run to go on with, whose config `config` is, but for what may change in mid-run.
        on_iteration: is given each iteration's result when it is on disk.

    Returns:
        The run's folder.

    Raises:
        UserError: the config, or the folder to go on with, is not fit for it.
        RunError: the run cannot go on.
        StopRequested: SIGINT or SIGTERM came; the run can be resumed.
    """
    if resume is not None and not isinstance(resume, RunFolder):
        resume = find_run(str(resume))
    if resume is None:
        config = with_seed(config)
    else:
        saved = resume.config
        seed = {"seed": saved.seed} if config.seed is None else {}
        config = checked_resume(saved, config.model_copy(update=seed))
    util = config.util_params
    display = ConsoleDisplay(config.algo_params.num_iterations)
    with ExitStack() as held:
        is_new = resume is None
        if resume is not None:
            held.enter_context(locked(resume.path))
            for edited in resume.require_own_settings():
                display.say(f"taken: {edited}")
            is_new = not CheckpointStore(resume.path, util.keep_checkpoints).numbers()
            if _ends_here(resume, config, display, can_go_on=not is_new):
                return resume
            if is_new:
                display.say(f"{resume.path} has no checkpoint yet: starting over")
            else:
                resume.require_own_tasks()
                config = config.model_copy(update={"path_to_weights": None})  # its own weights are further by now
        device = pytorch_util.choose_device(util.use_gpu, util.gpu_id, display.say)
        held.enter_context(pytorch_util.own_settings())
        pytorch_util.prepare_device(device, util.precision, util.num_threads, usable_cpus(), display.say)
        stop = held.enter_context(StopSignal())
        held.enter_context(pytorch_util.explain_memory())
        parts = held.enter_context(closing(build(config, device=device, display=display, stop=stop)))
        folder = resume or create_folder(config, name)
        if resume is None:
            held.enter_context(locked(folder.path))
        if is_new:
            folder.clear()
            own = parts.envs[0].own_action_space
            action_range = (own.low.tolist(), own.high.tolist())
            describe_run(folder.path, config, parts.tasks, action_range, str(device), parts.rewarded_radius)
        folder.require_tasks(parts.tasks)
        _run(config, parts, folder, display, on_iteration, is_new=is_new)
    return folder


def _ends_here(folder: RunFolder, config: Config, display: ConsoleDisplay, *, can_go_on: bool) -> bool:
    """Whether a run only lacked pictures, which are drawn then; `can_go_on`: whether it has a checkpoint.

    Raises:
        UserError: it is complete, or has iterations but no checkpoint to go on from; nothing is touched.
    """
    done, wanted = folder.status.iteration, config.algo_params.num_iterations
    if folder.is_finished and (wanted <= done or not can_go_on):
        if wanted == done and config.util_params.plots and draw_report(folder, display, keep_present=True):
            return True
        way = f"raise algo_params.num_iterations above {done} to go on"
        raise UserError(f"{folder.path} is complete: {way if can_go_on else 'it keeps no checkpoint to go on from'}")
    if folder.has_iterations and not can_go_on:
        raise UserError(
            f"{folder.path} has complete iterations but no checkpoint to go on from"
            " (checkpoints/ was removed, or util_params.checkpoint_interval is 0); its results stay as they are"
        )
    return False


def draw_report(folder: RunFolder, display: ConsoleDisplay, *, keep_present: bool = False) -> bool:
    """Draw a run's pictures, or only those that are not there yet; returns whether there were any to draw."""
    pictures = write_report(folder.path, keep_present=keep_present)
    for picture in pictures:
        display.say(f"plot    {picture}")
    return bool(pictures)


def _run(
    config: Config,
    parts: Parts,
    folder: RunFolder,
    display: ConsoleDisplay,
    on_iteration: OnIteration | None,
    *,
    is_new: bool,
) -> None:
    """Run the iterations that are left, each of them on disk before the next one begins."""
    algorithm, algo, util = parts.algorithm, config.algo_params, config.util_params
    saver = RunSaver(
        folder.path, util.keep_checkpoints, algorithm=algorithm, training=parts.training, experience=parts.experience
    )
    position = None if is_new else saver.restore(display.say)
    progress = algorithm.progress
    if progress.iterations > algo.num_iterations:
        raise UserError(
            f"{folder.path} is complete: raise algo_params.num_iterations above {progress.iterations} to go on"
        )
    draw = partial(
        evaluation_pictures, tasks=parts.tasks, num_prior=algo.num_exp_traj_eval, radius=parts.rewarded_radius
    )
    logger = RunLogger(
        folder.path, dump_eval_paths=algo.dump_eval_paths, draw=draw if util.plots else None, resume_at=position
    )
    with logger, display:
        display.go_on_from(progress.iterations, progress.train_steps, progress.env_steps)
        _announce(config, folder.path, progress.iterations, display)
        if util.checkpoint_interval and position is None:
            saver.begin(logger.position)
        with _telling_how_it_ends(config, folder.path, algorithm, saver, logger):
            for result in algorithm.train():
                logger.write(result)
                save_weights(parts.trainer, folder.path)
                if util.checkpoint_interval and result.number % util.checkpoint_interval == 0:
                    saver.save(logger.position)
                display.iteration_done(result.row)
                if util.video_interval and result.epoch % util.video_interval == 0:
                    film_iteration(config, folder.path, result.epoch, logger, display)
                if on_iteration is not None:
                    on_iteration(result)
            logger.write_hyperparameters(flat(config.model_dump()))
    display.summary(folder)
    if util.plots:
        draw_report(folder, display)


def _announce(config: Config, folder: Path, iterations: int, display: ConsoleDisplay) -> None:
    """Say what runs, and which tasks are shared."""
    place = f"{folder} after iteration {iterations}" if iterations else f"{folder}"
    display.say(f"{config.env_name}, seed {config.seed}: {place}")
    shared = config.n_train_tasks + config.n_eval_tasks - config.env_params.n_tasks
    if shared > 0:
        display.say(f"{shared} of the {config.n_eval_tasks} evaluation tasks are training tasks too")


@contextmanager
def _telling_how_it_ends(
    config: Config, folder: Path, algorithm: MetaRLAlgorithm, saver: RunSaver, logger: RunLogger
) -> Iterator[None]:
    """Save a run that is stopped inside the block, and tell of one that fails what failed and how to go on.

    Raises:
        RunError: a loss was not finite, the GPU gave way, or torch met another error.
    """
    saves = config.util_params.checkpoint_interval > 0
    try:
        yield
    except StopRequested as stop:
        if saves:
            saver.save(logger.position)
        stop.folder = folder
        raise
    except NonFiniteError as error:
        dump = logger.dump(error.arrays)
        step = algorithm.progress.train_steps + 1
        iteration = algorithm.progress.iterations + 1
        raise RunError(f"iteration {iteration}, gradient step {step}: {error}; its batch is in {dump}") from None
    except RuntimeError as error:
        failure = pytorch_util.gpu_failure(error)
        if failure is not None:
            how = f"go on from the last checkpoint, on another device with --cpu or --gpu ID: --resume {folder}"
            raise RunError(f"the GPU failed ({failure}); {how if saves else NO_CHECKPOINTS}") from None
        if pytorch_util.is_out_of_memory(error):
            raise
        last_line = (str(error).splitlines() or [""])[-1]
        raise RunError(f"{type(error).__name__}: {last_line}; its traceback is in {folder / LOG_FILE}") from error
