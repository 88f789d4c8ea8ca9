"""pyproject.toml, constraints.txt and environment.yml name the same packages and versions."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^\s*(?:- )?([A-Za-z0-9_-]+)(?:\[[a-z]+\])?==([^\s;]+)(?:;\s*(.+))?$")


def pins(path):
    """Name -> version as the newest Python gets it."""
    found = {}
    for line in path.read_text().splitlines():
        match = PIN.match(line)
        if match and not (match[3] and "<" in match[3]):
            found[match[1].lower()] = match[2]
    return found


def declared():
    text = (ROOT / "pyproject.toml").read_text()
    return {name.lower() for name in re.findall(r'"([A-Za-z0-9_-]+)(?:\[[a-z]+\])?>=', text)} - {"setuptools"}


def test_conda_users_get_the_same_versions():
    assert pins(ROOT / "environment.yml") == pins(ROOT / "constraints.txt")


def test_every_dependency_is_pinned():
    missing = declared() - pins(ROOT / "constraints.txt").keys()
    assert not missing


def test_nothing_else_is_pinned():
    unused = pins(ROOT / "constraints.txt").keys() - declared()
    assert not unused


def test_the_conda_environment_has_its_name():
    assert "name: pearl" in (ROOT / "environment.yml").read_text().splitlines()


@pytest.mark.parametrize(("package", "version"), [("torch", "2.13.0"), ("mujoco", "3.14.0"), ("mjbatch", "0.1.4")])
def test_versions_that_go_together(package, version):
    assert pins(ROOT / "constraints.txt")[package] == version
