"""What is kept of a finished run in results/: its rows, config and machine, and of some the trained agent.

A run may be moved and go on elsewhere, so what it runs on is noted for each of its sessions.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from rlkit.config.files import changed_config, load_config
from rlkit.config.settings import UtilParams
from rlkit.launchers.runs import Run
from rlkit.reproduction.plan import MACHINE_FILE, Plan
from rlkit.reproduction.results import Session, read_result, read_sessions
from rlkit.runs.folder import PROGRESS_FILE, STATUS_FILE, TASKS_FILE, VARIANT_FILE, VERSIONS_FILE
from rlkit.util.errors import UserError
from rlkit.util.files import read_json, replacing, write_json
from rlkit.util.machine import cpu_model, versions

NETWORKS = ("context_encoder.pth", "policy.pth")  # what acting and adapting take
MAX_PROGRESS_BYTES = 300_000
MAX_WEIGHTS_BYTES = 1_000_000
WEIGHTS_FOLDER = "weights"
SESSIONS_FILE = "sessions.json"


def collect(plan: Plan, results: Path, cpu_minutes: float | None = None) -> bool:
    """Keep in `results` what there is of a run that is finished and as planned, unless it is kept already.

    Args:
        plan: the run.
        results: the folder of all that is kept.
        cpu_minutes: processor time that it took, if known.

    Returns:
        Whether anything was written.

    Raises:
        UserError: a file of the run, or of what is kept, cannot be read.
    """
    if not plan.has_run or not plan.run.is_finished or plan.differences(plan.run.folder):
        return False
    weights = results / WEIGHTS_FOLDER / _agent_name(plan)
    is_shown = plan.experiment.keeps_weights and plan.run.seed == 0
    has_rows = read_result(plan) is not None
    needs_agent = is_shown and not (has_rows and weights.exists())
    if not has_rows:
        _keep_rows(plan.run.folder, plan.results, {} if cpu_minutes is None else {"cpu_minutes": cpu_minutes})
    if needs_agent:
        _keep_agent(plan.run.folder, weights)
    return needs_agent or not has_rows


def _agent_name(plan: Plan) -> str:
    """The experiment's, with the label of any arm but the first."""
    is_first = plan.arm is plan.experiment.arms[0]
    return plan.experiment.name if is_first else f"{plan.experiment.name}.{plan.arm.label}"


def _keep_rows(folder: Path, kept: Path, noted: Session) -> None:
    """Write progress.csv, machine.json and last variant.json, which tells that results are there."""
    *earlier, last = sessions_of(folder)
    (kept / VARIANT_FILE).unlink(missing_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    with replacing(kept / PROGRESS_FILE) as file:
        file.write(thinned((folder / PROGRESS_FILE).read_bytes(), MAX_PROGRESS_BYTES))
    write_json(kept / MACHINE_FILE, [_without_folders(session) for session in (*earlier, {**last, **noted})])
    _keep_config(folder, kept)


def _without_folders(session: Session) -> Session:
    """The session with its command as given in the project's folder: where that lay means nothing to others."""
    if "command" not in session:
        return session
    root = Path(session["command"][0]).parent
    return {**session, "command": [_below(root, word) for word in session["command"]]}


def _below(root: Path, word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


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
    import torch

    kept.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        shutil.copyfile(folder / name, kept / name)
        if (kept / name).stat().st_size > MAX_WEIGHTS_BYTES:
            weights = torch.load(folder / name, map_location="cpu", weights_only=True)
            torch.save({key: value.half() for key, value in weights.items()}, kept / name)
    for name in (TASKS_FILE, STATUS_FILE):
        shutil.copyfile(folder / name, kept / name)
    _keep_config(folder, kept)


def _keep_config(folder: Path, kept: Path) -> None:
    """Write variant.json without the place where the run lay: launched again elsewhere, it writes where others do."""
    settings = {"util_params.base_log_dir": UtilParams().base_log_dir}
    write_json(kept / VARIANT_FILE, changed_config(load_config(folder / VARIANT_FILE), settings).model_dump())


def note_session(run: Run, iterations: int, device: str) -> None:
    """Note in the run's folder that it goes on here after so many; a session without a complete one is dropped."""
    before = [session for session in _noted(run.folder) if session["from_iteration"] < iterations]
    session = {"from_iteration": iterations, "device": device, **hardware(device), **versions()}
    write_json(run.folder / SESSIONS_FILE, [*before, session])


def hardware(device: str) -> Session:
    """This machine: CPU model, cores, and the GPU where `device` is one."""
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "gpu": gpu_name(device)}


def gpu_name(device: str) -> str | None:
    """The name of the CUDA device, None of the CPU.

    Raises:
        UserError: there is no such device.
    """
    if device == "cpu":
        return None
    import torch

    try:
        return torch.cuda.get_device_name(device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UserError(f"--device {device}: {str(error).splitlines()[0]}") from None


def sessions_of(folder: Path) -> Sequence[Session]:
    """What was noted of a run; of one that the launcher started by itself, what its versions.json says.

    That names no CPU: this machine's is taken where it is the same platform.

    Raises:
        UserError: neither file can be read.
    """
    if noted := _noted(folder):
        return noted
    said = read_json(folder / VERSIONS_FILE)
    if not isinstance(said, dict) or "platform" not in said:
        raise UserError(f"cannot read {folder / VERSIONS_FILE}")
    here = hardware("cpu") if said["platform"] == platform.platform() else {"cpu": None, "cores": None}
    return [{"from_iteration": 0, **here, **said}]


def _noted(folder: Path) -> Sequence[Session]:
    path = folder / SESSIONS_FILE
    return read_sessions(path) if path.exists() else []
