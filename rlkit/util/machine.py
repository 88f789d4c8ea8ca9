"""What a run is made of and runs on: packages, Python, commit, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COMMIT_VARIABLE = "PEARL_COMMIT"  # of a container image: what it was built from
PACKAGES = ("torch", "numpy", "gymnasium", "mujoco", "mjbatch", "pydantic", "tensorboard")


def versions() -> dict[str, Any]:
    """What the run is made of: packages, Python, machine, command and commit of this code."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: importlib.metadata.version(package) for package in PACKAGES},
        **git_state(Path(__file__).parent),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any]:
    """Commit of the checkout around `folder`, and whether files differ from it.

    Outside a checkout the commit is the one that a container image says it was built from, else None.
    """
    commit = _git(folder, "rev-parse", "HEAD") or os.environ.get(COMMIT_VARIABLE) or None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_changed": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
