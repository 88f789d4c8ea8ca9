"""Training a config from start to end, or from where a run stopped: for the command line, sweeps and Python.

Imports of torch are in the functions: this module is imported before it is known that a run will start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rlkit.config.files import checked_resume, flat, with_seed
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
    from envs.cpus import usable_cpus
    from rlkit.launchers.build import build
    from rlkit.launchers.display import ConsoleDisplay
    from rlkit.runs.folder import RunFolder, create_folder, describe_run, find_run
    from rlkit.runs.lock import RunLock
    from rlkit.torch.pytorch_util import choose_device, explain_memory, own_settings, prepare_device
    from rlkit.util.signals import StopSignal

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
            held.enter_context(RunLock(resume.path))
            for edited in resume.require_own_settings():
                display.say(f"taken: {edited}")
            if _ends_here(resume, config, display):
                return resume
            is_new = not has_checkpoint(resume.path)
            if is_new:
                display.say(f"{resume.path} has no checkpoint yet: starting over")
            else:
                resume.require_own_tasks()
                config = config.model_copy(update={"path_to_weights": None})  # its own weights are further by now
        device = choose_device(util.use_gpu, util.gpu_id, display.say)
        held.enter_context(own_settings())
        prepare_device(device, util.precision, util.num_threads, usable_cpus(), display.say)
        stop = held.enter_context(StopSignal())
        held.enter_context(explain_memory())
        parts = held.enter_context(closing(build(config, device=device, display=display, stop=stop)))
        folder = resume or create_folder(config, name)
        if resume is None:
            held.enter_context(RunLock(folder.path))
        if is_new:
            folder.clear()
            own = parts.envs[0].own_action_space
            action_range = (own.low.tolist(), own.high.tolist())
            describe_run(folder.path, config, parts.tasks, action_range, str(device), rewarded_radius(parts))
        folder.require_tasks(parts.tasks)
        _run(config, parts, folder, display, on_iteration, is_new=is_new)
    return folder


def _ends_here(folder: RunFolder, config: Config, display: ConsoleDisplay) -> bool:
    """Whether a run only lacked pictures, which are drawn then.

    Raises:
        UserError: it is complete, or has iterations but no checkpoint to go on from; nothing is touched.
    """
    done, wanted = folder.status.iteration, config.algo_params.num_iterations
    can_go_on = has_checkpoint(folder.path)
    if folder.is_finished and (wanted <= done or not can_go_on):
        pictures = draw_report(folder.path, display.say) if wanted == done and config.util_params.plots else []
        if not pictures:
            how = f"raise algo_params.num_iterations above {done}" if can_go_on else "it keeps no checkpoint"
            raise UserError(f"{folder.path} is complete: {how} to go on{'' if can_go_on else ' from'}")
        return True
    if folder.has_iterations and not can_go_on:
        raise UserError(
            f"{folder.path} has complete iterations but no checkpoint to go on from"
            " (checkpoints/ was removed, or util_params.checkpoint_interval is 0); its results stay as they are"
        )
    return False


def has_checkpoint(folder: Path) -> bool:
    from rlkit.runs.checkpoint import CheckpointStore

    return bool(CheckpointStore(folder, 1).numbers())


def draw_report(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Draw those of a run's pictures that are not there yet."""
    from rlkit.viz.report import write_report

    pictures = write_report(folder, keep_present=True)
    for picture in pictures:
        say(f"plot    {picture}")
    return pictures


def rewarded_radius(parts: Parts) -> float | None:
    """Around a goal, where the sparse reward is not zero; None where the family has no such disc."""
    radius = getattr(parts.envs[0], "rewarded_radius", None)
    return float(radius) if isinstance(radius, int | float) else None


def _run(
    config: Config,
    parts: Parts,
    run_folder: RunFolder,
    display: ConsoleDisplay,
    on_iteration: OnIteration | None,
    *,
    is_new: bool,
) -> None:
    """Run the iterations that are left, each of them on disk before the next one begins."""
    from rlkit.launchers.film import film_iteration
    from rlkit.runs.logger import LOG_FILE, RunLogger
    from rlkit.runs.saving import RunSaver
    from rlkit.torch.pytorch_util import gpu_failure, is_out_of_memory
    from rlkit.torch.sac.weights import save_weights
    from rlkit.viz.report import evaluation_pictures, write_report

    folder, algorithm, util = run_folder.path, parts.algorithm, config.util_params
    saver = RunSaver(
        folder,
        util.keep_checkpoints,
        algorithm=algorithm,
        training=parts.training,
        experience=parts.experience,
    )
    position = None if is_new else saver.restore(display.say)
    done, wanted = algorithm.progress.iterations, config.algo_params.num_iterations
    if done > wanted:
        raise UserError(f"{folder} is complete: raise algo_params.num_iterations above {done} to go on")
    dump_paths = config.algo_params.dump_eval_paths
    num_prior = config.algo_params.num_exp_traj_eval
    draw = partial(evaluation_pictures, tasks=parts.tasks, num_prior=num_prior, radius=rewarded_radius(parts))
    logger = RunLogger(folder, dump_eval_paths=dump_paths, draw=draw if util.plots else None, resume_at=position)
    with logger, display:
        progress = algorithm.progress
        display.go_on_from(progress.iterations, progress.train_steps, progress.env_steps)
        _announce(config, folder, progress.iterations, display)
        if util.checkpoint_interval and position is None:
            saver.begin(logger.position)
        try:
            for result in algorithm.train():
                logger.write(result)
                save_weights(parts.trainer, folder)
                if util.checkpoint_interval and result.number % util.checkpoint_interval == 0:
                    saver.save(logger.position)
                display.iteration_done(result.row)
                if util.video_interval and result.epoch % util.video_interval == 0:
                    film_iteration(config, folder, result.epoch, logger, display)
                if on_iteration is not None:
                    on_iteration(result)
            logger.write_hyperparameters(flat(config.model_dump()))
        except StopRequested as stop:
            if util.checkpoint_interval:
                saver.save(logger.position)
            stop.folder = folder
            raise
        except NonFiniteError as error:
            dump = logger.dump(error.arrays)
            step = algorithm.progress.train_steps + 1
            iteration = algorithm.progress.iterations + 1
            raise RunError(f"iteration {iteration}, gradient step {step}: {error}; its batch is in {dump}") from None
        except RuntimeError as error:
            failure = gpu_failure(error)
            if failure is None and is_out_of_memory(error):
                raise
            if failure is None:
                last_line = (str(error).splitlines() or [""])[-1]
                where = f"its traceback is in {folder / LOG_FILE}"
                raise RunError(f"{type(error).__name__}: {last_line}; {where}") from error
            how = f"go on from the last checkpoint, on another device with --cpu or --gpu ID: --resume {folder}"
            if not util.checkpoint_interval:
                how = "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"
            raise RunError(f"the GPU failed ({failure}); {how}") from None
    display.summary(run_folder)
    for picture in write_report(folder) if util.plots else ():
        display.say(f"plot    {picture}")


def _announce(config: Config, folder: Path, iterations: int, display: ConsoleDisplay) -> None:
    """Say what runs, and which tasks are shared."""
    place = f"{folder} after iteration {iterations}" if iterations else f"{folder}"
    display.say(f"{config.env_name}, seed {config.seed}: {place}")
    shared = config.n_train_tasks + config.n_eval_tasks - config.env_params.n_tasks
    if shared > 0:
        display.say(f"{shared} of the {config.n_eval_tasks} evaluation tasks are training tasks too")
