"""Show that two versions of this program give the same numbers: OLD and NEW are git revisions or folders.

Both run tiny fixed-seed experiments on one thread; progress.csv (times aside), weights and evaluation.npz are
compared bit for bit. NEW also goes on with runs that OLD began. What one version alone has is listed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from rlkit.launchers.runs import LAUNCHER, ROOT
from rlkit.runs.folder import EVALUATION_FILE, PROGRESS_FILE
from rlkit.torch.sac.weights import WEIGHTS_SUFFIX
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import RunError, UserError
from torture import rows, set_options

CASES: dict[str, tuple[str, dict[str, object]]] = {
    "quickstart": ("quickstart", {}),
    "cheetah-vel": ("cheetah-vel", {}),
    "walker": ("walker-rand-params", {}),
    "recurrent": ("point-robot", {"encoder": "recurrent", "context_sampling": "trajectories"}),
    "attention": ("point-robot", {"encoder": "attention"}),
    "twin_q": ("point-robot", {"critic": "twin_q", "auto_alpha": True}),
    "rl_batch": ("point-robot", {"context_source": "rl_batch"}),
    "deterministic": ("point-robot", {"use_information_bottleneck": False}),
    "sparse": ("sparse-point-robot", {}),
}
SIZES: dict[str, object] = {
    "n_train_tasks": 4,
    "n_eval_tasks": 2,
    "net_size": 32,
    "encoder_size": 32,
    "util_params.num_threads": 1,
    "util_params.plots": False,
    "algo_params.num_tasks_sample": 3,
    "algo_params.num_train_steps_per_itr": 6,
    "algo_params.meta_batch": 4,
    "algo_params.batch_size": 32,
    "algo_params.embedding_batch_size": 32,
    "algo_params.embedding_mini_batch_size": 32,
    "algo_params.num_evals": 2,
    "algo_params.max_path_length": 20,
    "algo_params.num_initial_steps": 40,
    "algo_params.num_steps_prior": 40,
    "algo_params.num_steps_posterior": 40,
    "algo_params.num_extra_rl_steps_posterior": 40,
    "algo_params.num_trajs_per_eval": 3,
    "algo_params.num_exp_traj_eval": 1,
}
ITERATIONS = 2


@click.command(cls=Command, help=__doc__)
@click.argument("old")
@click.argument("new", default=str(ROOT))
@click.option("--case", "cases", multiple=True, type=click.Choice(list(CASES)), help="Only this one; repeatable.")
@click.option("--work", type=UserPath(), help="Keep OLD's whole runs here, and take what is there.")
def main(old: str, new: str, cases: tuple[str, ...], work: Path | None) -> int:
    """Compare; exit code 1 where a number differs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = {side: _source(version, folder / side) for side, version in (("old", old), ("new", new))}
        kept = (work or folder / "whole").resolve()
        faults = [fault for case in cases or CASES for fault in _compare_case(case, sources, folder / "runs", kept)]
    click.echo(f"{len(faults)} differences" if faults else "the same numbers")
    return 1 if faults else 0


def _source(version: str, target: Path) -> Path:
    """The folder of a version; a git revision is unpacked into `target`."""
    if Path(version).is_dir():
        return Path(version).resolve()
    archive = subprocess.run(["git", "archive", version], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise UserError(f"{version}: neither a folder nor a git revision")
    target.mkdir()
    subprocess.run(["tar", "-x"], cwd=target, input=archive.stdout, check=True)
    return target


def _compare_case(case: str, sources: Mapping[str, Path], folder: Path, kept: Path) -> list[str]:
    """Run and resume a case; returns what differs."""
    whole = next(kept.glob(f"*/{case}"), None) or _start(sources["old"], case, kept, case, ITERATIONS)
    again = _start(sources["new"], case, folder, f"{case}-again", ITERATIONS)
    begun = _start(sources["old"], case, folder, f"{case}-begun", 1)
    _launch(sources["new"], "--resume", str(begun), "--set", f"algo_params.num_iterations={ITERATIONS}")
    faults = []
    for how, run in (("", again), (", begun by OLD", begun)):
        found = list(_differences(whole, run))
        faults += [f"{case}{how}: {fault}" for fault in found]
        click.echo(f"{case}{how}: {'; '.join(found) or 'same'}")
    return faults


def _start(source: Path, case: str, folder: Path, name: str, iterations: int) -> Path:
    """Train `case` from scratch by the program in `source`; returns the run's folder, which is below `folder`."""
    config, algo = CASES[case]
    settings = SIZES | {f"algo_params.{key}": value for key, value in algo.items()}
    settings |= {"algo_params.num_iterations": iterations, "util_params.base_log_dir": str(folder)}
    _launch(source, f"configs/{config}.json", "--cpu", "--seed", "7", "--name", name, *set_options(settings))
    return next(folder.glob(f"*/{name}"))


def _launch(source: Path, *words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, LAUNCHER.name, *words]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{source}: {' '.join(words)}: {done.stderr}")


def _differences(old: Path, new: Path) -> Iterator[str]:
    """The files and entries that both have with other values; entries of one side are told, and are no fault."""
    before, after = _contents(old), _contents(new)
    for file in sorted(before.keys() ^ after.keys()):
        yield f"only one side has {file}"
    for file in (name for name in before if name in after):
        values, others = before[file], after[file]
        for name in sorted(values.keys() ^ others.keys()):
            click.echo(f"  {file}: only {'OLD' if name in values else 'NEW'} has {name}")
        for name in values.keys() & others.keys():
            one, two = np.asarray(values[name]), np.asarray(others[name])
            if one.dtype != two.dtype or one.shape != two.shape or one.tobytes() != two.tobytes():
                yield f"{file}: {name}"


def _contents(run: Path) -> dict[str, Mapping[str, Any]]:
    """What a run came to: by file, arrays by name, or columns without the times."""
    table = rows(run)
    with np.load(run / EVALUATION_FILE) as evaluation:
        return {
            PROGRESS_FILE: {name: [row[name] for row in table] for name in table[0]},
            EVALUATION_FILE: dict(evaluation),
            **{path.name: torch.load(path, weights_only=True) for path in sorted(run.glob(f"*{WEIGHTS_SUFFIX}"))},
        }


if __name__ == "__main__":
    run_command(main)
