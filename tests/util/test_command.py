"""Every command ends the same way, whoever calls it."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rlkit.util.command import Command
from rlkit.util.errors import RunError, UserError

ROOT = Path(__file__).parents[2]
COMMANDS = [ROOT / "launch_experiment.py", *sorted((ROOT / "scripts").glob("*.py"))]


@pytest.mark.parametrize(
    ("ends_with", "code", "line"),
    [
        (UserError("no\nsuch thing"), 2, "error: no\\nsuch thing"),
        (RunError("the run is lost"), 1, "error: the run is lost"),
        (OSError(28, "No space left on device", "results.json"), 2, "error: No space left on device: results.json"),
        (click.UsageError("two\nlines"), 2, "error: two lines"),
        (KeyboardInterrupt(), 130, ""),
        (None, 0, ""),
        (7, 7, ""),
    ],
)
def test_each_ending_has_one_line_and_a_code(ends_with, code, line):
    @click.command(cls=Command)
    def command():
        if isinstance(ends_with, BaseException):
            raise ends_with
        return ends_with

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.stderr.strip(), result.stdout) == (code, line, "")


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_every_command_says_in_one_line_that_an_option_is_unknown(path):
    result = subprocess.run([sys.executable, path, "--fooo"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: No such option")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_a_word_that_is_not_utf8_is_refused_in_one_line(path):
    result = subprocess.run([sys.executable, path, b"--name=x\xff"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: --name=x\\udcff: not UTF-8 text\n"
