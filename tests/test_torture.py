"""A short version of scripts/torture.py."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_killed_runs_end_like_the_one_nobody_killed():
    command = [sys.executable, str(ROOT / "scripts/torture.py"), "--kills", "3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 of 6 equal" in result.stdout
