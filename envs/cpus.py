"""How many CPUs this process may use: the one place that counts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS_OF_PROCESS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cpus() -> int:
    """CPUs that affinity (taskset, Slurm) and the quotas of control groups (containers) leave, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(int(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    """CPUs' worth of time that each control group around this process may have, of those that have a limit."""
    for folder in _group_folders():
        with suppress(OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
            names = ["cpu.max"] if (folder / "cpu.max").exists() else ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            texts = [(folder / name).read_text(encoding="utf-8") for name in names]  # version 2: both in one file
            quota, period = (int(number) for text in texts for number in text.split())
            if quota >= 0:
                yield quota / period


def _group_folders() -> Iterator[Path]:
    """Folders of the groups, version 1 and 2; a container sees its own group as the root, whatever its path says."""
    try:
        lines = GROUPS_OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = GROUPS / "cpu" if controllers else GROUPS
        group = root / path.lstrip("/")
        yield from (group, *(parent for parent in group.parents if parent.is_relative_to(root)))
