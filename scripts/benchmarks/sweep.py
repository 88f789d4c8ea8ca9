"""What a study costs beside the launchers that it stands for, and what its driver holds as runs come and go."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from envs.cpus import usable_cpus
from rlkit.config.files import changed_config, debug_version
from rlkit.config.settings import Config
from rlkit.launchers.runs import ROOT, Run
from rlkit.sweep.session import TABLE_FILE
from rlkit.sweep.table import read_table
from rlkit.util.errors import UserError

from .timing import MIB, Case, Cases

TINY = {"net_size": 32, "algo_params.num_iterations": 1, "util_params.debug": False}  # of a debug run
TINY_RUNS, EARLY = 200, 50  # how many, and at which the driver's memory is read first
WATCH_SECONDS = 1.0
NAME = "study"


def measure(configs: Mapping[str, Config]) -> Cases:
    """One run per CPU, by launchers side by side and as a study, in turns; then a study of many tiny runs."""
    [config] = configs.values()
    jobs = usable_cpus()
    length = f"{config.algo_params.num_iterations} iterations each"
    by_launchers, by_study = 0.0, 0.0
    for is_study in (False, True, True, False):
        if is_study:
            by_study += _study(config, jobs)[0] / 2
        else:
            by_launchers += _launchers(config, jobs) / 2
    yield f"{jobs} runs at a time", Case(by_study, by_launchers, "s", f"{length}; limit: launchers side by side")
    tiny = changed_config(debug_version(config), TINY)
    seconds, early, late = _study(tiny, TINY_RUNS)
    memory = f"driver {early:.0f} MiB after {EARLY} runs, {late:.0f} after {TINY_RUNS}"
    yield f"{TINY_RUNS} tiny runs, each", Case(seconds / TINY_RUNS, _launchers(tiny, jobs) / jobs, "s", memory)


def _launchers(config: Config, count: int) -> float:
    """Seconds that so many launchers take side by side."""
    with tempfile.TemporaryDirectory() as folder:
        path = _written(config, Path(folder))
        env_folder = Path(folder) / "output" / config.env_name
        runs = [Run(path, seed, env_folder / str(seed), config.algo_params.num_iterations) for seed in range(count)]
        start = time.perf_counter()
        processes = [subprocess.Popen(run.command(["--cpu"]), stdout=subprocess.DEVNULL) for run in runs]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise UserError("sweep: a launcher failed; its last lines are above")
        return time.perf_counter() - start


def _study(config: Config, count: int) -> tuple[float, float, float]:
    """Seconds that a study of so many seeds takes; MiB of its driver after EARLY runs and before the last ends."""
    with tempfile.TemporaryDirectory() as folder:
        _written(config, Path(folder))
        study = Path(folder) / f"{NAME}.json"
        same = {"algo_params.num_iterations": {"grid": [config.algo_params.num_iterations]}}
        study.write_text(json.dumps({"base": "base.json", "seeds": count, "space": same}))
        start = time.perf_counter()
        words = [sys.executable, str(ROOT / "scripts/sweep.py"), str(study)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        table = Path(folder) / "output" / config.env_name / NAME / TABLE_FILE
        early = late = 0.0
        while process.poll() is None:
            finished = _num_finished(table)
            if finished < count:  # then it draws the study's picture, which takes memory of its own
                late = _resident(process.pid)
            if not early and finished >= EARLY:
                early = late
            time.sleep(WATCH_SECONDS)
        seconds = time.perf_counter() - start
        if process.returncode or _num_finished(table) < count:
            raise UserError(f"sweep: {_num_finished(table)} of {count} runs finished; see the lines above")
        return seconds, early, late


def _written(config: Config, folder: Path) -> Path:
    """The config as a file in `folder`, for runs of one thread that write below it."""
    settings = {"util_params.base_log_dir": str(folder / "output"), "util_params.num_threads": 1}
    path = folder / "base.json"
    path.write_text(json.dumps(changed_config(config, settings).model_dump()))
    return path


def _num_finished(table: Path) -> int:
    return sum(row.state == "finished" for row in read_table(table, ()))


def _resident(pid: int) -> float:
    """Memory of a process, MiB; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / MIB
