"""CPUs that the job may not use are not used."""

import subprocess
import sys

import pytest

from envs import cpus


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """`groups(lines, {file: text})`: the control groups of this process."""

    def make(lines, files):
        (tmp_path / "own").write_text("".join(f"{line}\n" for line in lines))
        for name, text in files.items():
            (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "fs" / name).write_text(text + "\n")
        monkeypatch.setattr(cpus, "GROUPS_OF_PROCESS", tmp_path / "own")
        monkeypatch.setattr(cpus, "GROUPS", tmp_path / "fs")
        monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)

    return make


V1 = "4:cpu,cpuacct:/job"


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ([], {}, 16),
        (["0::/job/step"], {"job/step/cpu.max": "max 100000", "job/cpu.max": "300000 100000"}, 3),
        (["0::/job"], {"job/cpu.max": "50000 100000"}, 1),
        (["0::/job"], {"job/cpu.max": "250000 100000"}, 2),
        (["0::/outside/the/container"], {"cpu.max": "400000 100000"}, 4),
        (["0::/job"], {"job/cpu.max": "max 100000"}, 16),
        (["0::/job"], {"job/cpu.max": "nonsense"}, 16),
        ([V1], {"cpu/job/cpu.cfs_quota_us": "200000", "cpu/job/cpu.cfs_period_us": "100000"}, 2),
        ([V1], {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, 16),
        ([V1], {"cpu/cpu.cfs_quota_us": "500000", "cpu/cpu.cfs_period_us": "100000"}, 5),
        (["3:memory:/job"], {"memory/job/cpu.max": "100000 100000"}, 16),
    ],
)
def test_quotas_of_control_groups_count(groups, lines, files, expected):
    groups(lines, files)
    assert cpus.usable_cpus() == expected


def test_a_process_on_one_cpu_starts_no_threads_to_step():
    """Threads of the physics, counted by the system."""
    script = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
count = lambda: len(os.listdir("/proc/self/task"))
import numpy as np, envs
from rlkit.launchers.runs import thread_settings
before = count()
env = envs.make_env("cheetah-vel", 8)
env.reset(seed=0)
env.step(np.zeros((8, 6)))
print(count() - before, thread_settings(2))
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.split(maxsplit=1) == ["0", "['util_params.num_threads=1']\n"]
