"""Train PEARL as a JSON config says: config -> environments, agent, buffers, sampler -> meta-training."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from rlkit.config.files import changed_config, checked_resume, debug_version, load_config, with_seed
from rlkit.config.settings import Config
from rlkit.runs.folder import LATEST, RunFolder, find_run, results_folder
from rlkit.util.command import Command, UserPath, os_error_text, run_command, say_error
from rlkit.util.errors import EXIT_INTERRUPTED, RunError, StopRequested, UserError


@click.command(cls=Command, help=__doc__)
@click.argument("config", type=UserPath(), required=False)
@click.option("--gpu", type=click.IntRange(min=0), metavar="ID", help="CUDA device to train on.")
@click.option("--cpu", is_flag=True, help="Train on the CPU even if there is a GPU.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Fixes all random numbers (default: a new one).")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting, e.g. algo_params.meta_batch=8."
)
@click.option("--name", metavar="EXP_NAME", help="Name of the results' folder (default: date and time).")
@click.option("--debug", is_flag=True, help="A run of a few seconds into output/[ENV]/debug, replacing the last one.")
@click.option(
    "--resume", metavar="EXP_DIR", help="Go on with a run; or with the 'latest', where CONFIG says or below output."
)
def main(
    config: Path | None,
    gpu: int | None,
    cpu: bool,
    seed: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    debug: bool,
    resume: str | None,
) -> int:
    if cpu and gpu is not None:
        raise UserError("--cpu and --gpu exclude each other")
    settings: dict[str, object] = {} if seed is None else {"seed": seed}
    if cpu or gpu is not None:
        settings["util_params.use_gpu"] = not cpu
    if gpu is not None:
        settings["util_params.gpu_id"] = gpu
    if resume is not None:
        is_latest = resume == LATEST
        if (config is not None and not is_latest) or name is not None or debug:
            raise UserError("--resume takes the run's own config and folder: leave out CONFIG, --name, --debug")
        place = Path("output")
        if is_latest:
            place, overrides = latest_place(config, overrides)
        folder = find_run(resume, place)
        saved = folder.config
        return run(checked_resume(saved, changed_config(saved, settings, overrides, str(folder.path))), folder=folder)
    if config is None:
        raise UserError("which experiment? give a CONFIG, as configs/quickstart.json, or --resume EXP_DIR")
    new = with_seed(load_config(config, overrides, settings))
    return run(debug_version(new, overrides) if debug or new.util_params.debug else new, name=name)


def latest_place(config: Path | None, overrides: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """Where the latest run is looked for, by CONFIG or --set util_params.base_log_dir; and the other overrides."""
    key = "util_params.base_log_dir="
    named = [text.removeprefix(key) for text in overrides if text.startswith(key)]
    rest = tuple(text for text in overrides if not text.startswith(key))
    if named:
        return Path(named[-1].strip('"')).expanduser(), rest
    return Path("output") if config is None else results_folder(load_config(config)), rest


def run(config: Config, *, name: str | None = None, folder: RunFolder | None = None) -> int:
    """Train; a run that a signal stopped ends in one line that says how to go on. Returns the exit code.

    Raises:
        RunError: what it stands on, as the disk, gave way.
    """
    from rlkit.launchers.train import NO_CHECKPOINTS, train  # here: torch and mujoco are slow to import

    try:
        train(config, name=name, resume=folder)
    except StopRequested as stop:
        how = f"go on with: launch_experiment.py --resume {stop.folder}"
        say_error(
            f"stopped by {stop.signal.name}; {how if config.util_params.checkpoint_interval else NO_CHECKPOINTS}"
        )
        return EXIT_INTERRUPTED if stop.signal == signal.SIGINT else 0
    except OSError as error:
        raise RunError(f"{os_error_text(error)}; what was complete before is on disk") from None
    return 0


if __name__ == "__main__":
    run_command(main)
