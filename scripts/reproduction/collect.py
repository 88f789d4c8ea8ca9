"""What is kept of a finished run in results/: its rows, config and machine, and of some the trained agent."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from reproduction.machine import sessions_of
from reproduction.plan import MACHINE_FILE, PROGRESS_FILE, Places, Plan
from reproduction.results import read_result
from rlkit.config.files import changed_config, load_config
from rlkit.config.settings import UtilParams
from rlkit.runs.folder import TASKS_FILE, VARIANT_FILE
from rlkit.runs.logger import STATUS_FILE
from rlkit.torch.sac.builder import WEIGHTS_SUFFIX, read_weights
from rlkit.util.files import replacing, write_json

NETWORKS = ("context_encoder", "policy")  # what acting and adapting take
MAX_PROGRESS_BYTES = 300_000
MAX_WEIGHTS_BYTES = 1_000_000
WEIGHTS_FOLDER = "weights"


def collect(plan: Plan, places: Places) -> bool:
    """Keep the results of a run that is finished and as planned, unless they are kept already.

    Returns:
        Whether anything was written.

    Raises:
        UserError: a file of the run, or of what is kept, cannot be read.
    """
    if not plan.has_run or not plan.run.is_finished or plan.differences(plan.run.folder):
        return False
    weights = places.results / WEIGHTS_FOLDER / _agent_name(plan)
    is_shown = plan.experiment.keeps_weights and plan.run.seed == 0
    has_rows = read_result(plan) is not None
    needs_agent = is_shown and not (has_rows and weights.exists())
    if not has_rows:
        _keep_rows(plan.run.folder, plan.results)
    if needs_agent:
        _keep_agent(plan.run.folder, weights)
    return needs_agent or not has_rows


def _agent_name(plan: Plan) -> str:
    """The experiment's, with the label of any arm but the first."""
    is_first = plan.arm is plan.experiment.arms[0]
    return plan.experiment.name if is_first else f"{plan.experiment.name}.{plan.arm.label}"


def _keep_rows(folder: Path, kept: Path) -> None:
    """Write progress.csv, machine.json and last variant.json, which tells that results are there."""
    sessions = sessions_of(folder)
    (kept / VARIANT_FILE).unlink(missing_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    with replacing(kept / PROGRESS_FILE) as file:
        file.write(thinned((folder / PROGRESS_FILE).read_bytes(), MAX_PROGRESS_BYTES))
    write_json(kept / MACHINE_FILE, sessions)
    _keep_config(folder, kept)


def thinned(table: bytes, limit: int) -> bytes:
    """The header and, evenly chosen, as many whole lines as surely fit into `limit` bytes, with first and last."""
    if len(table) <= limit:
        return table
    header, *rows = table.splitlines(keepends=True)
    count = max(2, (limit - len(header)) // max(map(len, rows)))
    steps = [round(place * (len(rows) - 1) / (count - 1)) for place in range(count)]
    return b"".join([header, *(rows[step] for step in steps)])


def _keep_agent(folder: Path, kept: Path) -> None:
    """Write what sim_policy.py needs; networks too large for float32 are kept in half precision."""
    kept.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        path = kept / f"{name}{WEIGHTS_SUFFIX}"
        shutil.copyfile(folder / path.name, path)
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            torch.save({key: value.half() for key, value in read_weights(folder, name).items()}, path)
    for file_name in (TASKS_FILE, STATUS_FILE):
        shutil.copyfile(folder / file_name, kept / file_name)
    _keep_config(folder, kept)


def _keep_config(folder: Path, kept: Path) -> None:
    """Write variant.json without the place where the run lay: launched again elsewhere, it writes where others do."""
    settings = {"util_params.base_log_dir": UtilParams().base_log_dir}
    write_json(kept / VARIANT_FILE, changed_config(load_config(folder / VARIANT_FILE), settings).model_dump())
