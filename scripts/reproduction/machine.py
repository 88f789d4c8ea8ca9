"""What a run ran on. A run may be moved and go on elsewhere, so this is noted for each of its sessions."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from rlkit.launchers.runs import Run
from rlkit.util.errors import UserError
from rlkit.util.files import write_json
from rlkit.util.machine import cpu_model, versions

SESSIONS_FILE = "sessions.json"
VERSIONS_FILE = "versions.json"

Session = dict[str, Any]
"""`from_iteration`, device, cpu, cores, gpu, packages and commit."""


def note_session(run: Run, iterations: int, device: str) -> None:
    """Note in the run's folder that it goes on here after so many; a session without a complete one is dropped."""
    before = [session for session in _sessions(run.folder) if session["from_iteration"] < iterations]
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


def sessions_of(folder: Path) -> list[Session]:
    """What was noted of a run; of one that the launcher started by itself, what its versions.json says.

    That names no CPU: this machine's is taken where it is the same platform.

    Raises:
        UserError: neither file can be read.
    """
    if noted := _sessions(folder):
        return noted
    path = folder / VERSIONS_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        here = hardware("cpu") if said["platform"] == platform.platform() else {"cpu": None, "cores": None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    return [{"from_iteration": 0, **here, **said}]


def _sessions(folder: Path) -> list[Session]:
    try:
        noted: list[Session] = json.loads((folder / SESSIONS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {folder / SESSIONS_FILE}: {error}") from None
    return noted
