"""One run of launch_experiment.py: what it is, how far it has come, and the command that takes it on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rlkit.runs.folder import RunFolder

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "launch_experiment.py"


class Run(NamedTuple):
    """A config with a seed, and where and how far it is to run."""

    config: Path
    seed: int
    folder: Path  # of its results; its name is the run's
    num_iterations: int
    settings: tuple[str, ...] = ()  # KEY=VALUE texts to start with; a run that goes on keeps its own
    group: str = ""  # the folder within the environment's that it shares with others, as a study's runs do

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> str:
        """What the run says of itself, as "interrupted"."""
        return RunFolder(self.folder).status.state

    @property
    def iterations(self) -> int:
        """How many are complete."""
        return RunFolder(self.folder).status.iteration

    @property
    def is_running(self) -> bool:
        return RunFolder(self.folder).is_running

    @property
    def is_finished(self) -> bool:
        """Whether all iterations are on disk and no process works on it any more."""
        return self.iterations >= self.num_iterations and not self.is_running

    def command(self, device: Sequence[str]) -> list[str]:
        """Start the run, or resume what there is of it; `device` is --cpu, --gpu ID or nothing."""
        length = f"algo_params.num_iterations={self.num_iterations}"
        if self.folder.exists():
            arguments, settings = ["--resume", str(self.folder)], [length]
        else:
            arguments = [str(self.config), "--seed", str(self.seed), "--name", f"{self.group}/{self.name}".strip("/")]
            settings = [*self.settings, length]
        changes = [word for setting in settings for word in ("--set", setting)]
        return [sys.executable, str(LAUNCHER), *arguments, *device, *changes]


def share_of_cpus(jobs: int) -> float:
    """CPUs of each of `jobs` runs at a time on this machine: whole ones, where there are enough."""
    from envs.cpus import usable_cpus  # here, as it brings mujoco

    share = usable_cpus() / jobs
    return float(int(share)) if share > 1 else share


def thread_settings(jobs: int) -> list[str]:
    """Have each of several runs at a time keep to its share of the CPU."""
    return [] if jobs == 1 else [f"util_params.num_threads={max(1, int(share_of_cpus(jobs)))}"]
