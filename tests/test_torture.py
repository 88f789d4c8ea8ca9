"""Short versions of scripts/torture.py and scripts/power_cut.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CAN_MOUNT = os.geteuid() == 0 and Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4") is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("torture.py", ("--kills", "3"), "6 of 6 equal"),
        pytest.param(
            *("power_cut.py", ("--cuts", "3"), "3 of 3 equal"),
            marks=pytest.mark.skipif(not CAN_MOUNT, reason="needs root and loop devices"),
        ),
    ],
)
def test_runs_that_were_cut_off_end_like_the_one_that_was_not(script, words, said):
    command = [sys.executable, str(ROOT / "scripts" / script), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert said in result.stdout
