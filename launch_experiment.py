"""Train PEARL as a JSON config says: config -> environments, agent, buffers, sampler -> meta-training."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from rlkit.config.files import debug_version, load_config, resumed_config
from rlkit.config.settings import Config
from rlkit.launchers.train import train, with_seed
from rlkit.runs.folder import RunFolder, find_run
from rlkit.util.command import Command, UserPath, os_error_text, run_command
from rlkit.util.errors import EXIT_INTERRUPTED, RunError, StopRequested, UserError, one_line


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
) -> int:
    """Start or resume a run; returns the exit code."""
    if cpu and gpu is not None:
        raise UserError("--cpu and --gpu exclude each other")
    settings = device_settings(gpu, cpu) | ({} if seed is None else {"seed": seed})
    if resume is not None:
        if config is not None or name is not None or debug:
            raise UserError("--resume takes the run's own config and folder: leave out CONFIG, --name, --debug")
        folder = find_run(resume)
        return run(resume_config(folder, overrides, settings), folder=folder)
    if config is None:
        raise UserError("which experiment? give a CONFIG, as configs/quickstart.json, or --resume EXP_DIR")
    return run(new_config(config, overrides, settings, debug), name=name)


def device_settings(gpu: int | None, cpu: bool) -> dict[str, object]:
    """Settings that --gpu and --cpu stand for."""
    if gpu is not None:
        return {"util_params.gpu_id": gpu, "util_params.use_gpu": True}
    return {"util_params.use_gpu": False} if cpu else {}


def new_config(path: Path, overrides: tuple[str, ...], settings: dict[str, object], debug: bool) -> Config:
    """The config with the command line's changes, and with a seed."""
    config = with_seed(load_config(path, overrides, settings))
    return debug_version(config) if debug or config.util_params.debug else config


def resume_config(folder: RunFolder, overrides: tuple[str, ...], settings: dict[str, object]) -> Config:
    """The run's config with the changes that a run may have when it goes on."""
    config = resumed_config(folder.config, overrides, settings, str(folder.path))
    return config.model_copy(update={"path_to_weights": None})  # its own weights are further by now


def run(config: Config, *, name: str | None = None, folder: RunFolder | None = None) -> int:
    """Train; a run that a signal stopped ends in one line that says how to go on. Returns the exit code.

    Raises:
        RunError: what it stands on, as the disk, gave way.
    """
    try:
        train(config, name=name, resume=folder)
    except StopRequested as stop:
        how = f"go on with: launch_experiment.py --resume {stop.folder}"
        if not config.util_params.checkpoint_interval:
            how = "it keeps no checkpoints to go on from (util_params.checkpoint_interval is 0)"
        click.echo(one_line(f"stopped by {stop.signal.name}; {how}"), err=True)
        return EXIT_INTERRUPTED if stop.signal == signal.SIGINT else 0
    except OSError as error:
        raise RunError(f"{os_error_text(error)}; what was complete before is on disk") from None
    return 0


if __name__ == "__main__":
    run_command(main)
